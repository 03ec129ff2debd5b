"""Writes with psql and reads through nginx: no response is ever older than the last commit."""

import json

import pytest
from orbital import Client, Psql

PATHS = [
    "/usage", "/usage?limit=1000&totals=true", "/usage?sort=message_id:desc&limit=3", "/usage?format=csv",
    "/usage?report_name=r", "/usage/summary?granularity=total", "/usage/summary?from=2024-01-01&to=2024-01-02&granularity=hour",
]


@pytest.fixture(scope="module", params=["4", "0"], ids=["cached", "uncached"])
def memory_site(start_site, request):
    return start_site(CACHE_MEGABYTES=request.param)


@pytest.fixture
def client(memory_site):
    memory_site.psql("TRUNCATE usage_record")
    return Client(memory_site.site)


@pytest.fixture
def database(memory_site):
    connection = Psql(memory_site.url)
    yield connection
    connection.close()


def insert(message_id):
    return f"""INSERT INTO usage_record (message_id, "timestamp", report_name, message_text)
        VALUES ({message_id}, '2024-01-01T12:00:00Z', 'r', 'x')"""


def read_all(client, tags):
    """Every path, with and without the tag of the answer before; what they say together."""
    bodies = []
    for path in PATHS:
        whole = client.get(path)
        assert whole.status == 200, whole.body
        again = client.get(path, If_None_Match=f'"x", W/{tags[path]}' if path in tags else '"x"')
        if tags.get(path) == whole.getheader("ETag"):
            assert again.status == 304 and again.body == ""
            assert again.getheader("ETag") == whole.getheader("ETag")
            assert again.getheader("Vary") == "Accept, Accept-Encoding, Authorization" and again.getheader("Cache-Control") == "no-cache"
        else:
            assert again.status == 200 and again.body == whole.body
        assert whole.getheader("X-Usage-Revision") == again.getheader("X-Usage-Revision")
        tags[path] = whole.getheader("ETag")
        bodies.append(whole.body)
    return bodies


def test_the_next_response_has_each_committed_row(memory_site, client, database):
    """After each commit the new row is in the next answer, and a repeat of it comes from memory."""
    tags = {}
    for count in range(1, 1001 if memory_site.environment["CACHE_MEGABYTES"] == "4" else 71):
        database.run(insert(count))
        path = PATHS[count % len(PATHS)]
        answer = client.get(path, **({"If-None-Match": tags[path]} if path in tags else {}))
        assert answer.status == 200, (count, path, answer.status)
        if "summary" in path:
            assert json.loads(answer.body)["totals"]["messages"] == count, (count, path)
        elif "message_id:desc" in path:
            assert json.loads(answer.body)["usage"][0]["message_id"] == count
        elif "format=csv" in path:
            assert answer.body.count("\r\n") == count + 1
        else:
            assert f'"message_id":{count},' in answer.body, (count, path)
        if "totals" in path:
            assert answer.getheader("X-Total-Count") == str(count)
        tags[path] = answer.getheader("ETag")
        again = client.get(path)
        assert again.body == answer.body and again.getheader("ETag") == tags[path]


def test_a_rollback_changes_nothing(client, database):
    database.run(insert(1))
    tags = {}
    before = read_all(client, tags)
    for change in [insert(10**6), "UPDATE usage_record SET credit_hundredths = 7", "TRUNCATE usage_record", "DELETE FROM usage_record"]:
        database.run(f"BEGIN; {change}")
        assert read_all(client, tags) == before if "TRUNCATE" not in change else True
        database.run("ROLLBACK")
        assert read_all(client, tags) == before


def test_each_change_is_in_the_next_response(client, database):
    for count in range(1, 4):
        database.run(insert(count))
    tags = {}
    seen = [read_all(client, tags)]
    for change in [
        "UPDATE usage_record SET credit_hundredths = 12345 WHERE message_id = 1", "DELETE FROM usage_record WHERE message_id = 1",
        "TRUNCATE usage_record", insert(5), "UPDATE usage_record SET report_name = 'r2'",
    ]:
        database.run(change)
        answers = read_all(client, tags)
        # The third shows the newest records only, which not every change touches.
        assert all(answers[i] != seen[-1][i] for i in (0, 1, 3)), change
        seen.append(answers)
    assert seen[3][0] == '{"usage":[]}'


def test_if_none_match_with_a_star_matches_and_head_has_the_fields_of_get(client, database):
    database.run(insert(1))
    for path in PATHS:
        assert client.get(path, If_None_Match="*").status == 304
        get, head = client.get(path), client.get(path, method="HEAD")
        assert head.status == 200 and head.body == ""
        for name in ("ETag", "Content-Type", "X-Usage-Revision", "Link", "X-Total-Count", "Content-Disposition"):
            assert head.getheader(name) == get.getheader(name), (path, name)
    assert client.get("/usage?limit=x", If_None_Match="*").status == 400
