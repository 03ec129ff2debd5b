"""tokens.py LIBRARY WORKLOAD ROUNDS TOKENIZER-DIRECTORY: what instruction-counts does, with tiktoken or quicktok.

WORKLOAD is `count ENCODING` or `encode ENCODING`; the texts are the lines of standard input. Prints the tokens twice,
as instruction-counts does.
"""

import os
import sys

library, workload, rounds, directory = sys.argv[1:]
action, encoding = workload.split()
if library == "quicktok":
    import quicktok as module
else:
    # No copy of the vocabulary in a temporary directory.
    os.environ["TIKTOKEN_CACHE_DIR"] = ""
    import tiktoken as module
    import tiktoken_ext.openai_public as published

    read = published.load_tiktoken_bpe
    published.load_tiktoken_bpe = lambda url, **hashes: read(f"{directory}/{url.rsplit('/', 1)[1]}", **hashes)

tokenizer = module.get_encoding(encoding)
texts = sys.stdin.buffer.read().decode().removesuffix("\n").split("\n")
encode = tokenizer.encode_ordinary
for _ in range(int(rounds) + 1):
    if action == "count":
        tokens = sum(map(tokenizer.count, texts))
    else:
        tokens = sum(len(encode(text)) for text in texts)
print(tokens, tokens)
