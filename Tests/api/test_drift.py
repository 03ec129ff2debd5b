"""`orbitalctl drift` beside a model that counts with tiktoken."""

import json
import os
import pathlib
import random
import shutil
import subprocess
from decimal import ROUND_HALF_UP, Decimal

import chatterbot_corpus
import tiktoken
from orbital import psql
from service import BUILT, REPOSITORY

# The names that tiktoken gives to the published files in its cache.
CACHED = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790"}
TOKENIZERS = ["characters", "cl100k_base", "o200k_base", "o200k_harmony"]
YEARS = range(2021, 2025)


def encodings(folder):
    for name, cached in CACHED.items():
        shutil.copy(REPOSITORY / f".run/tokenizers/{name}.tiktoken", folder / cached)
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    return {name: tiktoken.get_encoding(name) for name in TOKENIZERS[1:]}


def lines():
    for path in sorted(pathlib.Path(chatterbot_corpus.__file__).parent.glob("data/*/*.yml")):
        yield from (line.strip(" -") for line in path.read_text(encoding="utf-8").splitlines() if line.strip(" -"))


def credits(characters, price, minimum):
    """Hundredths, by characters or by four times the tokens."""
    return max(minimum, int((Decimal(characters) * price / 4_000_000).quantize(Decimal(1), ROUND_HALF_UP)))


def percent(old, new):
    """As JSON has it."""
    return float((Decimal(100 * (new - old)) / old).quantize(Decimal("0.01"), ROUND_HALF_UP))


def expected(records):
    """The sums of (characters, tokens, credits, credits)."""
    characters, tokens, rough, exact = (sum(part) for part in zip(*records))
    return {
        "records": len(records), "characters": characters, "estimated_tokens": characters / 4, "exact_tokens": tokens,
        "tokens_difference_percent": percent(characters, 4 * tokens), "estimated_credits": rough / 100,
        "exact_credits": exact / 100, "credits_difference_percent": percent(rough, exact)}


def test_drift_counts_and_prices_as_a_model_with_tiktoken(start_site, tmp_path):
    # Rates stay, so the site is of this test alone.
    site = start_site()
    random.seed(4)
    known, texts = encodings(tmp_path), list(lines())
    rates = {year: (random.choice([150_000, 12_345_678, 40_000_000]), random.choice([0, 1, 100])) for year in YEARS}
    rows = ", ".join(
        f"('{year}-01-01Z', '{TOKENIZERS[index]}', {price}, {price}, {price}, {price}, {minimum})"
        for index, (year, (price, minimum)) in enumerate(rates.items()))
    psql(site.url, f"""INSERT INTO credit_rate (effective_from, tokenizer, input_price, output_price, cache_read_price,
        cache_creation_price, minimum_hundredths) VALUES {rows}""")
    messages, model = [], {None: {}, **{name: {} for name in known}}
    for number in range(3000):
        year, user, text = random.choice(YEARS), f"u{random.randrange(9)}", " ".join(random.choices(texts, k=3))
        time = f"{year}-03-01T00:00:{number % 60:02}Z"
        messages.append(json.dumps({"message_id": number, "timestamp": time, "user_id": user, "message_text": text}))
        price, minimum = rates[year]
        for tokenizer, users in model.items():
            own = TOKENIZERS[YEARS.index(year)]
            counter = tokenizer or (own if own in known else "o200k_base")
            tokens = len(known[counter].encode_ordinary(text))
            users.setdefault(user, []).append(
                (len(text), tokens, credits(len(text), price, minimum), credits(4 * tokens, price, minimum)))
    environment = {**site.environment, "TOKENIZER_DIRECTORY": str(REPOSITORY / ".run/tokenizers")}
    imported = subprocess.run([BUILT / "orbitalctl", "import", "-"], env=environment, input="\n".join(messages), text=True,
                              capture_output=True)
    assert imported.returncode == 0, imported.stdout + imported.stderr
    for tokenizer, users in model.items():
        command = [BUILT / "orbitalctl", "drift", "--from", "2021-01-01", "--to", "2025-01-01", "--by", "user", "--json"]
        command += ["--tokenizer", tokenizer] if tokenizer else []
        found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
        assert found["total"] == expected([record for records in users.values() for record in records]), tokenizer
        groups = {group.pop("name"): group for group in found["groups"]}
        assert groups == {user: expected(records) for user, records in users.items()}, tokenizer
        assert list(groups) == sorted(users, key=lambda user: -sum(record[0] for record in users[user])), tokenizer
