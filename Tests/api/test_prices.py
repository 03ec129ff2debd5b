"""Prices random messages through SQL, and compares each with a model of its own in exact decimals."""

import datetime
import json
import random
import subprocess
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from orbital import Client, psql
from service import BUILT

EXACT = Context(prec=60)
BEGIN = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
PATTERNS = [
    None, "*", "g*", "gpt*", "gpt-5*", "gpt-5-mini*", "gpt-5", "gpt-5-mini", "gpt", "GPT-5", "gpt_5", "gpt%*", "*-5",
    "a*b", "é*", "é", "é🎉*", "é🎉", "e\u0301*", "x" * 199 + "*", "x" * 200, "o", "o*", " *", "\\*",
]
MODELS = [
    "", "gpt", "gpt-5", "gpt-5-mini", "gpt-5-mini-2026", "GPT-5", "gpt_5", "gpt-", "gpt%x", "g", "*", "claude-5", "a*b", "axb",
    "é", "é🎉", "é🎉!", "e\u0301", "x" * 199, "x" * 200, "o", "o3", " ", "\\", "\\x",
]
# Those above 200,000,000 are priced in `numeric`.
PRICES = [
    0, 1, 499, 500, 501, 1500, 15_000, 150_000, 600_000, 187_500, 40_000_000, 40_000_001, 199_999_999, 200_000_000,
    200_000_001, 10**12 + 1, 10**13 - 1, 10**13,
]
MINIMUMS = [0, 1, 99, 100, 100, 250, 10**9]
TOKENIZERS = ["characters", "characters", "o200k_base", "cl100k_base"]
LIMIT = Decimal(2**53)
LARGEST = 2**31 - 1


class Rate:
    """An entry of the price list; `since` is in hours, None for the first one."""

    def __init__(self, number, pattern, since, huge):
        self.number, self.pattern, self.since = number, pattern, since
        self.tokenizer = random.choice(TOKENIZERS)
        prices = PRICES if huge else PRICES[:12]
        self.prices = [random.choice(prices) if random.random() < 0.7 else random.randrange(10**random.randrange(1, 9))
                       for _ in range(4)]
        self.minimum = random.choice(MINIMUMS)

    def matches(self, model):
        if self.pattern is None:
            return True
        if model == "":
            return False
        if self.pattern[-1] == "*":
            return model[:len(self.pattern) - 1] == self.pattern[:-1]
        return model == self.pattern

    @property
    def order(self):
        """What decides between rates that match: the kind of pattern, its length, the time."""
        kind = 0 if self.pattern is None else 1 if self.pattern[-1] == "*" else 2
        return kind, len(self.pattern or "") if kind == 1 else 0, -1 if self.since is None else self.since

    @property
    def row(self):
        return [self.number, self.pattern, "-infinity" if self.since is None else at(self.since), self.tokenizer,
                *self.prices, self.minimum]


def at(hours):
    return (BEGIN + datetime.timedelta(hours=hours)).isoformat()


def price_list(huge=True):
    keys = {(None, None)}
    for _ in range(random.randrange(40)):
        keys.add((random.choice(PATTERNS), random.randrange(100)))
    return [Rate(number, pattern, since, huge) for number, (pattern, since) in enumerate(keys, 1)]


def in_force(rates, hours, model):
    begun = [rate for rate in rates if (rate.since is None or rate.since <= hours) and rate.matches(model)]
    return max(begun, key=lambda rate: rate.order)


def amount(price, divisor, most):
    """A number of tokens or characters: any, or one at which the credits are nearly half a hundredth."""
    if price and random.random() < 0.6:
        half = (random.choice([0, 0, 1, 2, 7, random.randrange(10**6)]) * 2 + 1) * 500_000 * divisor // price
        return min(most, max(0, half + random.randrange(-1, 3)))
    return random.choice([0, 1, 2, 3, 999, 1000, most, random.randrange(int(10**random.uniform(0, 9.3)) + 1)])


class Message:
    """A message: its time in hours, its model, and what it is priced by."""

    def __init__(self, rates, largest=LARGEST):
        self.hours = random.randrange(-1, 101)
        self.model = random.choice(MODELS)
        self.rate = in_force(rates, self.hours, self.model)
        self.characters = self.counted = self.input = self.output = self.read = self.creation = None
        price = self.rate.prices
        if random.random() < 0.4:
            self.characters = min(amount(price[0], 4, 2**23), largest)
            if random.random() < 0.7:
                self.counted = min(amount(price[0], 1, 2**23), largest)
            return
        if random.random() < 0.9:
            self.input = min(amount(price[0], 1, LARGEST), largest)
            if random.random() < 0.6:
                self.read = random.choice([0, self.input, random.randrange(self.input + 1), self.input // 2])
            if random.random() < 0.4:
                self.creation = random.choice([0, self.input - (self.read or 0)])
        if self.input is None or random.random() < 0.8:
            self.output = min(amount(price[1], 1, LARGEST), largest)

    @property
    def kinds(self):
        """The tokens of each kind with their price per million in hundredths, in the order of receipts."""
        read, creation = self.read or 0, self.creation or 0
        tokens = [(self.input or 0) - read - creation, read, creation, self.output or 0]
        price = self.rate.prices
        return list(zip(["input", "cache_read", "cache_creation", "output"], tokens,
                        [price[0], price[2], price[3], price[1]]))

    @property
    def exact(self):
        """The exact hundredths, before rounding and the minimum."""
        if self.characters is None:
            total = Decimal(sum(tokens * price for _, tokens, price in self.kinds))
        elif self.rate.tokenizer != "characters" and self.counted is not None:
            total = Decimal(self.counted * self.rate.prices[0])
        else:
            total = EXACT.divide(Decimal(self.characters * self.rate.prices[0]), Decimal(4))
        return EXACT.divide(total, Decimal(10**6))

    @property
    def rounded(self):
        return self.exact.quantize(Decimal(1), ROUND_HALF_UP, EXACT)

    @property
    def hundredths(self):
        """None if they are out of range."""
        credits = max(Decimal(self.rate.minimum), self.rounded)
        return int(credits) if credits <= LIMIT else None

    @property
    def row(self):
        return [at(self.hours), self.model, self.characters, self.counted, self.input, self.output, self.read, self.creation]


def copied(values):
    """A line for COPY."""
    return "\t".join("\\N" if value is None else str(value).replace("\\", "\\\\") for value in values) + "\n"


def replace_rates(rates):
    return f"""SET LOCAL session_replication_role = replica;
        DELETE FROM credit_rate;
        COPY credit_rate (credit_rate_id, model, effective_from, tokenizer, input_price, output_price, cache_read_price,
            cache_creation_price, minimum_hundredths) FROM STDIN;
{"".join(copied(rate.row) for rate in rates)}\\.
        SET LOCAL session_replication_role = origin;
        """


CALL = """usage_credits(characters, counted, rate.tokenizer, input, output, cache_read, cache_creation, rate.input_price,
    rate.output_price, rate.cache_read_price, rate.cache_creation_price, rate.minimum_hundredths)"""


def priced(site, rates, messages):
    """The rate and the credits of each message, by credit_rate_at() and by credit_rate_periods()."""
    output = psql(site.url, f"""BEGIN;
        {replace_rates(rates)}
        CREATE TEMPORARY TABLE item (number bigint GENERATED ALWAYS AS IDENTITY, handled timestamptz, model text,
            characters bigint, counted bigint, input bigint, output bigint, cache_read bigint, cache_creation bigint);
        COPY item (handled, model, characters, counted, input, output, cache_read, cache_creation) FROM STDIN;
{"".join(copied(message.row) for message in messages)}\\.
        SELECT one.id, one.credits, many.id, many.credits
        FROM (SELECT number, rate.credit_rate_id AS id, {CALL} AS credits
            FROM item, LATERAL credit_rate_at(handled, model) AS rate) AS one
        FULL JOIN (SELECT number, rate.credit_rate_id AS id, {CALL} AS credits
            FROM item JOIN credit_rate_periods(ARRAY(SELECT DISTINCT model FROM item)) AS rate
                ON used_model = item.model AND handled >= rate.effective_from AND handled < rate.until) AS many USING (number)
        ORDER BY number;
        ROLLBACK;""")
    return output.splitlines()


def compare(site, count, lists):
    out_of_range = halves = by_minimum = 0
    for _ in range(lists):
        rates = price_list()
        messages = [Message(rates) for _ in range(count // lists)]
        lines = priced(site, rates, messages)
        assert len(lines) == len(messages)
        for message, line in zip(messages, lines):
            credits = "" if message.hundredths is None else message.hundredths
            expected = f"{message.rate.number}|{credits}"
            assert line == f"{expected}|{expected}", (message.__dict__, message.rate.__dict__)
            out_of_range += message.hundredths is None
            halves += message.exact % 1 == Decimal("0.5")
            by_minimum += message.hundredths == message.rate.minimum
    # The messages are worth the comparison.
    assert min(out_of_range, halves, by_minimum) > count / 500, (out_of_range, halves, by_minimum)
    print(f"measured: {count} messages at {lists} price lists: 0 differences; {halves} at half a hundredth, "
          f"{by_minimum} at the minimum, {out_of_range} out of range")


def test_random_messages_have_the_rate_and_the_credits_of_the_model(shared_site):
    random.seed(16)
    compare(shared_site, 20_000, 20)


@pytest.mark.full
def test_a_million_random_messages_have_the_rate_and_the_credits_of_the_model(shared_site):
    random.seed(17)
    compare(shared_site, 1_000_000, 100)


def decimals(value, least):
    """A number with as many decimals as it needs, at least `least`."""
    text = format(value.normalize(EXACT), "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(least, '0')}"


def expected_receipt(message):
    rate, hundredths = message.rate, lambda value: decimals(EXACT.divide(Decimal(value), Decimal(100)), 2)
    if message.characters is None:
        lines = [
            f'{{"kind":"{kind}","tokens":{tokens},"credits_per_million_tokens":{hundredths(price)},'
            f'"credits":{decimals(EXACT.divide(Decimal(tokens * price), Decimal(10**8)), 2)}}}'
            for kind, tokens, price in message.kinds if tokens]
        measure = f'"measure":"reported","lines":[{",".join(lines)}]'
    else:
        tokens = EXACT.divide(Decimal(message.characters), Decimal(4)).quantize(Decimal("0.01"))
        per_100 = decimals(EXACT.divide(Decimal(rate.prices[0]), Decimal(10**6)), 2)
        measure = (f'"characters":{message.characters},"tokens":{tokens},"tokenizer":"characters",'
                   f'"credits_per_100_tokens":{per_100}')
    since = "null" if rate.since is None else f'"{at(rate.since)[:19]}Z"'
    applied = "true" if message.rounded < rate.minimum else "false"
    return (f'{{{measure},"calculated":{hundredths(message.rounded)},"minimum":{hundredths(rate.minimum)},'
            f'"minimum_applied":{applied}'
            + (f',"model":{json.dumps(rate.pattern, ensure_ascii=False)}' if rate.pattern else "")
            + f',"rate_effective_from":{since}'
            + (',"estimated":true' if message.characters is not None and rate.tokenizer != "characters" else "") + "}")


def test_receipts_itemise_what_plain_sql_recorded_and_their_lines_add_up(start_site):
    random.seed(18)
    site = start_site()
    rates = price_list(huge=False)
    messages = [Message(rates, largest=3000) for _ in range(300)]
    for message in messages:
        message.counted = None
    quoted = lambda value: "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
    text = lambda message: "NULL" if message.characters is None else f"repeat('x', {message.characters})"
    # The sequence of ids is that of the numbers, although the rates are inserted with theirs.
    psql(site.url, f"""BEGIN; {replace_rates(rates)} COMMIT;
        INSERT INTO usage_record (message_id, "timestamp", message_text, attribution_id, input_tokens, output_tokens,
            cache_read_input_tokens, cache_creation_input_tokens) VALUES """ + ",".join(
        f"({number}, '{at(message.hours)}', {text(message)}, usage_attribution(NULL, NULL, {quoted(message.model)}, NULL), "
        + ", ".join(quoted(value) for value in [message.input, message.output, message.read, message.creation]) + ")"
        for number, message in enumerate(messages, 1)))
    client = Client(site.site)
    for number, message in enumerate(messages, 1):
        body = client.get(f"/usage/{number}").body
        credits = decimals(EXACT.divide(Decimal(message.hundredths), Decimal(100)), 2)
        assert f'"credits_used":{credits},' in body, (body, message.__dict__, message.rate.__dict__)
        assert body[body.index('"receipt":') + 10:-1] == expected_receipt(message)
        receipt = json.loads(body, parse_float=Decimal)["receipt"]
        if "lines" in receipt:
            total = sum(line["credits"] for line in receipt["lines"])
            assert Decimal(total).quantize(Decimal("0.01"), ROUND_HALF_UP) == receipt["calculated"]
    environment = {"DATABASE_URL": site.url, "CONFIG_ENV": "test", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([BUILT / "orbitalctl", "verify"], env=environment, capture_output=True, text=True)
    assert ": 0 differences" in done.stdout, done.stdout + done.stderr


def test_post_estimate_and_import_price_as_plain_sql_does(start_site, tmp_path):
    random.seed(19)
    site = start_site()
    rates = price_list(huge=False)
    for rate in rates:
        # POST would need the vocabularies.
        rate.tokenizer = "characters"
    psql(site.url, f"BEGIN; {replace_rates(rates)} COMMIT;")
    messages = [Message(rates, largest=3000) for _ in range(300)]
    items = []
    for number, message in enumerate(messages, 1):
        message.counted = None
        item = {"message_id": number, "timestamp": at(message.hours), "model": message.model or None,
                "message_text": None if message.characters is None else "x" * message.characters,
                "input_tokens": message.input, "output_tokens": message.output,
                "cache_read_input_tokens": message.read, "cache_creation_input_tokens": message.creation}
        items.append({name: value for name, value in item.items() if value is not None})
    key, client = site.key(), Client(site.site)

    def post(path, body):
        client.request("POST", path, json.dumps(body).encode(),
                       {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
        response = client.getresponse()
        return response.status, response.read().decode()

    for item, message in zip(items[:100], messages):
        status, body = post("/usage/estimate", item)
        assert status == 200 and body[body.index('"receipt":') + 10:-1] == expected_receipt(message), (item, body)
    half = len(items) // 2
    status, body = post("/usage", items[:half])
    assert status == 200 and json.loads(body)["created"] == half, body[:500]
    assert post("/usage", items[half])[0] == 201
    file = tmp_path / "messages.ndjson"
    file.write_text("".join(json.dumps(item) + "\n" for item in items[half + 1:]))
    environment = {"DATABASE_URL": site.url, "CONFIG_ENV": "test", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([BUILT / "orbitalctl", "import", file], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, message in enumerate(messages, 1):
        body = client.get(f"/usage/{number}").body
        assert body[body.index('"receipt":') + 10:-1] == expected_receipt(message), (items[number - 1], body)
    done = subprocess.run([BUILT / "orbitalctl", "verify"], env=environment, capture_output=True, text=True)
    assert ": 0 differences" in done.stdout, done.stdout + done.stderr
