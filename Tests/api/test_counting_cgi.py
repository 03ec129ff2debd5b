"""How much longer a CGI request takes if it counts exact tokens instead of characters."""

import os
import statistics
import subprocess
import time

import pytest
from service import BUILT, REPOSITORY

ROUNDS, LIMIT = 21, 6
VOCABULARIES = REPOSITORY / ".run/tokenizers"
ENVIRONMENT = {
    "PATH": os.environ["PATH"], "TOKENIZER_DIRECTORY": str(VOCABULARIES), "ACCESS": "open",
    "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "/orbital.cgi",
    "PATH_INFO": "/usage/estimate", "CONTENT_TYPE": "application/json",
}


def body(year):
    return b'{"message_text":"What is the rent?","timestamp":"%d-06-01T00:00:00Z"}' % year


def measure(environment):
    """The median time of each kind; the requests alternate."""
    times = {"characters": [], "o200k_base": []}
    for _ in range(ROUNDS + 2):
        for tokenizer, year in (("characters", 2021), ("o200k_base", 2022)):
            text = body(year)
            begin = time.perf_counter()
            answer = subprocess.run([BUILT / "orbital-fcgi"], env={**environment, "CONTENT_LENGTH": str(len(text))}, input=text,
                                    capture_output=True, check=True).stdout
            times[tokenizer].append(1000 * (time.perf_counter() - begin))
            assert answer.startswith(b"Status: 200 OK\r\n") and b'"tokenizer":"%s"' % tokenizer.encode() in answer, answer
    medians = {}
    for tokenizer, values in times.items():
        ordered = sorted(values[2:])
        medians[tokenizer] = statistics.median(ordered)
        print(f"measured: CGI POST /usage/estimate by {tokenizer}: median {medians[tokenizer]:.1f} ms, "
              f"fastest {ordered[0]:.1f}, slowest {ordered[-1]:.1f} of {ROUNDS}; first {values[0]:.1f}")
    return medians["o200k_base"] - medians["characters"]


@pytest.mark.speed
def test_a_cgi_request_takes_hardly_longer_where_it_counts_exact_tokens(start_site):
    """Loading a vocabulary from the published file would cost each CGI process 50 ms."""
    site = start_site()
    site.psql("""INSERT INTO credit_rate (effective_from, tokenizer, input_price, output_price,
            cache_read_price, cache_creation_price, minimum_hundredths)
        VALUES ('2022-01-01Z', 'o200k_base', 10000000, 10000000, 10000000, 10000000, 1)""")
    subprocess.run([BUILT / "orbitalctl", "tokenizers", "prepare", VOCABULARIES], check=True, capture_output=True)
    # Other load can only add time, so it is enough if one series of three is fast enough.
    differences = []
    while not differences or (differences[-1] > LIMIT and len(differences) < 3):
        differences.append(measure({**ENVIRONMENT, "DATABASE_URL": site.url}))
    assert differences[-1] <= LIMIT, f"to count exactly takes {min(differences):.1f} ms more, {LIMIT} ms are allowed"
