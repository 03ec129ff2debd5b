"""oracle.py VOCABULARIES OUT: writes texts, and what tiktoken makes of them, for TokenizerTests.

Each file of OUT is one kind of texts. A record is the length of a text in bytes, its UTF-8, and for
cl100k_base and o200k_base the number of tokens and the tokens, in "mixtures" also for o200k_harmony; all
numbers are 32 bits, little end first. The same texts in every run.
"""
import array
import os
import pathlib
import random
import shutil
import sys
import unicodedata

vocabularies, out = map(pathlib.Path, sys.argv[1:])
cache = out / "cache"
cache.mkdir(parents=True)
# The names that tiktoken gives to the two files: SHA-1 of the addresses that they were published at.
for name, cached in (
    ("cl100k_base", "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"),
    ("o200k_base", "fb374d419588a4632f3f557e76b4b70aebbca790"),
):
    shutil.copy(vocabularies / f"{name}.tiktoken", cache / cached)
os.environ["TIKTOKEN_CACHE_DIR"] = str(cache)

import chatterbot_corpus  # noqa: E402
import tiktoken  # noqa: E402

ENCODINGS = [tiktoken.get_encoding(name) for name in ("cl100k_base", "o200k_base", "o200k_harmony")]
SCALARS = [chr(value) for value in range(0x110000) if not 0xD800 <= value < 0xE000]
PIECES = [
    " ", "  ", "   ", "\n", "\r\n", "\r", "\n\n", "\t", " \n", "\n ", "\u00a0", "\u0085", "\u2028", "\u3000",
    "\u180e", "\u200b", "\ufeff", "\0", "'s", "'S", "'\u017f", "'t", "'RE", "'re", "'Ve", "'m", "'LL", "'ll",
    "'lL", "'d", "'D", "'", "''", "\u2019s", "'\u212a", "'st", "'l", "'r", "a", "b", "Z", "word", "Word",
    "WORD", "wOrD", "don", "\u0130", "\u00df", "\u01c5", "\u02b0", "\u00aa", "\u017f", "\u212a", "\u4e2d",
    "\u4e2d\u6587", "\u3042", "\u30a2\u30fc", "\uac00", "\u0e01\u0e33", "\u0915\u094d", "\u0627\u064b",
    "\u0301", "e\u0301", "\u20dd", "\ufe0f", "\U000e0100", "0", "7", "12", "123", "1234", "\u0663", "\u0967",
    "\u00bd", "\u2167", "\u2460", "\uff11", "\U0001d7d8", ".", "!", "?!", "...", "/", "//", "\n/", "/\r", "-",
    "_", "(", "\u3002", "\u20ac", "+", "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "<|endoftext|>", "<|channel|>", "\U0010ffff", "\ue000", "\u0378",
]


def scalars():
    """Every scalar twice, 16 in a text; all but symbols, Han, Hangul and their like more often."""
    for start in range(0, len(SCALARS), 16):
        block = SCALARS[start:start + 16]
        yield "".join(f"A{scalar}b{scalar}1" for scalar in block)
    for scalar in SCALARS:
        if ord(scalar) < 0x3400 or unicodedata.category(scalar) not in ("Lo", "So", "Cn", "Co"):
            yield f"{scalar}b1{scalar}{scalar}'s {scalar}\n{scalar} A{scalar}A!{scalar}'{scalar} {scalar}1"


def corpus():
    """Every line of the ChatterBot corpus, without the marks of its lists."""
    for path in sorted(pathlib.Path(chatterbot_corpus.__file__).parent.glob("data/*/*.yml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip(" -"):
                yield line.strip().lstrip("- ")


def mixtures(source):
    """Pieces in a random order, some many times."""
    for _ in range(20_000):
        pieces = source.choices(PIECES, k=source.randint(1, 16))
        yield "".join(piece * source.choice((1, 1, 1, 2, 3, 17)) for piece in pieces)


def long_pieces(source):
    """Texts that are one piece, of lengths around those at which the program does otherwise."""
    lengths = [63, 64, 127, 128, 129, 254, 255, 256, 257, 300, 511, 1000, 1792, 2047, 2048, 2049, 4096, 9000]
    for length in lengths:
        for alphabet in (
            "a", "ab", "abc", "abcdefghijklmnopqrstuvwxyz", "etaoin", " ", "\n", "-=", "!", "\u0440\u0430\u0441",
            "\u4e2d\u6587\u7684", [chr(value) for value in range(0x4E00, 0x9FFF)], "\u0e01\u0e33\u0e19",
            [scalar for scalar in SCALARS[0x100:0x3000] if scalar.isalpha()],
        ):
            if length < 4096 or len(alphabet) > 1:
                yield "".join(source.choices(alphabet, k=length))
    for word in ("ab", "abcab", "information", "internationalization", "aaab", "0x"):
        yield word * 600


def repeated_characters():
    """One to three of each general category and UTF-8 length, all of ASCII, all white space."""
    groups = {}
    for scalar in SCALARS:
        group = scalar if scalar.isascii() or scalar.isspace() else (unicodedata.category(scalar), len(scalar.encode()))
        groups.setdefault(group, []).append(scalar)
    for group in groups.values():
        yield from sorted({group[0], group[len(group) // 2], group[-1]})


def runs(source):
    """Repetitions that end around windows and powers of two; some begin or end with, or contain, something else."""
    sizes = [size + more for size in (256, 1792, 2048, 3840, 4096, 8192) for more in (-1, 0, 1, 5)]
    for number, character in enumerate(repeated_characters()):
        length = len(character.encode())
        # Other sizes for the next character; some are many windows.
        for size in sizes[number % 8::8] + [16_384 + number] * (number % 8 == 0):
            yield character * (size // length)
        yield f"{character * (3840 // length)}."
        if number % 2:
            yield f"A{character * (5000 // length)}.{character * (3000 // length)}"
    units = [
        "ab", "aab", "abcd", "abcde", "-=", "\r\n", " \t", "\u4e2d\u6587", "\u0440\u0430", "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea", "e\u0301", "\u0e01\u0e33", "internationalization",
    ]
    # Periods around the part of a window that is searched for a repetition, and around windows.
    for period in (17, 100, 255, 256, 257, 300, 1791, 1792, 1793, 2047, 2048, 2049):
        for alphabet in ("ab", "etaoin", "abcdefghijklmnopqrstuvwxyz"):
            units.append("".join(source.choices(alphabet, k=period)))
    for unit in units:
        text = unit * (12_000 // len(unit))
        yield text
        for _ in range(3):
            place = source.randrange(len(text))
            yield text[:place] + source.choice(("a", "", text[place] * 2)) + text[place + 1:]


def write(name, texts, encodings=ENCODINGS[:2]):
    with open(out / name, "wb") as file:
        for text in texts:
            encoded = text.encode()
            file.write(len(encoded).to_bytes(4, "little") + encoded)
            for encoding in encodings:
                tokens = encoding.encode_ordinary(text)
                file.write(len(tokens).to_bytes(4, "little") + array.array("I", tokens).tobytes())


write("scalars", scalars())
write("corpus", corpus())
write("mixtures", mixtures(random.Random(1)), ENCODINGS)
write("long pieces", long_pieces(random.Random(2)))
write("runs", runs(random.Random(3)))
