"""Prints Sources/Tokenizer/ScalarClasses.swift, asking tiktoken for the class of every scalar.

An encoding of our own, with the 256 bytes for a vocabulary and a class for a pattern, encodes a text
to the bytes of just those scalars that its regular expressions count to the class.
"""
import textwrap

import tiktoken

# A letter of the runs, and what it stands for; no scalar is in two of them.
CLASSES = {
    "u": r"[\p{Lu}\p{Lt}]",
    "l": r"\p{Ll}",
    "c": r"[\p{Lm}\p{Lo}]",
    "m": r"\p{M}",
    "n": r"\p{N}",
    "s": r"[\s--[\r\n]]",
    "r": r"[\r\n]",
}
SCALARS = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
HEADER = '''\
// Made by Tests/tokenizer/classes.py from tiktoken {version}; a test compares. Do not edit.

/// The classes of all scalars from U+0000, as runs: a letter and a length, where it is not 1.
///
/// u upper or title case, l lower case, c other letter, m mark, n number, s white space, r line
/// break, o anything else, as are all after the last run. Surrogates, which no text has, are o.
let scalarClassRuns = """
'''


def members(pattern):
    """The scalars of a class."""
    encoding = tiktoken.Encoding(
        "class", pat_str=pattern, mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={})
    return map(ord, bytes(encoding.encode_ordinary(SCALARS)).decode())


def main():
    letters = ["o"] * 0x110000
    for letter, pattern in CLASSES.items():
        for scalar in members(pattern):
            assert letters[scalar] == "o", hex(scalar)
            letters[scalar] = letter
    runs, start = [], 0
    for end in range(1, 0x110001):
        if end == 0x110000 or letters[end] != letters[start]:
            runs.append(letters[start] + (str(end - start) if end - start > 1 else ""))
            start = end
    text = "".join(runs[:-1])
    print(HEADER.format(version=tiktoken.__version__), end="")
    print("    " + " \\\n    ".join(textwrap.wrap(text, 90)).replace(" \\", "\\"))
    print('    """')


main()
