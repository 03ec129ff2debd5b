"""How long it takes to count exact tokens of 8 MiB of one repeated character, beside 8 MiB of ordinary text."""

import json
import pathlib

import chatterbot_corpus
import pytest
from orbital import Client

SIZE, ROUNDS, LIMIT = 8 * 2**20, 5, 1.2
# Letters, marks, numbers, white space and symbols of one to four bytes; and three longer repetitions.
REPEATED = [
    "a", "A", "é", "я", "中", "ก", "의", "𐐀", "\u0301", "0", "٣", "१", "½", "𝟘", " ", "\n", "\t", "\u00a0", "\u3000",
    "!", "-", "/", "_", "'", "😀", "ab", "👍🏽", "internationalization",
]


def body(text, year):
    """As much of `text` again and again as fits into a body of 8 MiB."""
    start, end = b'{"timestamp":"%d-06-01T00:00:00Z","message_text":"' % year, b'"}'
    piece = json.dumps(text, ensure_ascii=False)[1:-1].encode()
    return start + piece * ((SIZE - len(start) - len(end)) // len(piece)) + end


def english():
    folder = pathlib.Path(chatterbot_corpus.__file__).parent / "data/english"
    lines = (line for path in sorted(folder.glob("*.yml")) for line in path.read_text().splitlines())
    return " ".join(line.strip(" -") for line in lines)


def seconds(pid):
    """The CPU time of a process, in nanoseconds where /proc/PID/stat has hundredths of a second."""
    return sum(int(task.read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@pytest.mark.speed
def test_a_run_of_one_character_costs_no_more_than_ordinary_text(start_site):
    site = start_site()
    site.psql("""INSERT INTO credit_rate (effective_from, tokenizer, input_price, output_price,
            cache_read_price, cache_creation_price, minimum_hundredths)
        VALUES ('2022-01-01Z', 'o200k_base', 10000000, 10000000, 10000000, 10000000, 1),
            ('2023-01-01Z', 'cl100k_base', 10000000, 10000000, 10000000, 10000000, 1)""")
    client = Client(site.site)

    def cost(text, year, tokenizer):
        before = seconds(site.responder.pid)
        client.request("POST", "/usage/estimate", body=body(text, year), headers={"Content-Type": "application/json"})
        answer = client.getresponse().read()
        assert b'"tokenizer":"%s"' % tokenizer in answer, answer[:300]
        return seconds(site.responder.pid) - before

    for year, tokenizer in ((2022, b"o200k_base"), (2023, b"cl100k_base")):
        ordinary, costs = [], {text: [] for text in REPEATED}
        for _ in range(ROUNDS):
            ordinary.append(cost(english(), year, tokenizer))
            for text in REPEATED:
                costs[text].append(cost(text, year, tokenizer))
        # Other load can only add time.
        ratios = {text: min(measured) / min(ordinary) for text, measured in costs.items()}
        worst = max(ratios, key=ratios.get)
        print(f"measured: estimate of 8 MiB by {tokenizer.decode()}: ordinary text {1000 * min(ordinary):.0f} ms; "
              f"a {1000 * min(costs['a']):.0f} ms; the most expensive of {len(REPEATED)} repetitions, {worst!r}, "
              f"{ratios[worst]:.2f} times ordinary text (limit {LIMIT})")
        assert ratios[worst] <= LIMIT, {text: round(ratio, 2) for text, ratio in ratios.items()}
