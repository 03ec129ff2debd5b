"""Lets schemathesis try the live service with all its checks, as openapi.json describes it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest
from orbital import CONTRACT_RECORDS, psql

HERE = pathlib.Path(__file__).parent
DESCRIPTION = HERE.parent.parent / "nginx/html/openapi.json"


def described(access):
    """The description of a service with this access: with keyed, nothing is open to all."""
    document = json.loads(DESCRIPTION.read_text())
    for path in document["paths"].values() if access == "keyed" else []:
        for operation in path.values():
            operation["security"] = [way for way in operation["security"] if way]
    return document


@pytest.mark.full
@pytest.mark.parametrize("access", ["open", "keyed"])
def test_the_service_does_what_openapi_json_says_in_all_that_schemathesis_tries(start_site, access):
    """With ACCESS=keyed, reading without a key must be refused, too."""
    site = start_site(ACCESS=access)
    psql(site.url, CONTRACT_RECORDS + """;
        INSERT INTO budget (name, user_id, credit_hundredths, every, zone_id, thresholds)
        SELECT b.name, user_id, 500000, every, zone_id, '{50,100}' FROM usage_zone,
            (VALUES ('all', '', 'month'), ('research', 'u-17', 'week')) AS b(name, user_id, every)""")
    with tempfile.TemporaryDirectory() as folder:
        document = pathlib.Path(folder, "openapi.json")
        document.write_text(json.dumps(described(access)))
        key = site.key("usage:read", "usage:write", "usage:correct")
        done = subprocess.run(
            [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml",
             "run", document, "--url", f"http://127.0.0.1:{site.port}", "--header", f"Authorization: Bearer {key}", "--checks", "all",
             "--seed", "20261124", "--max-examples", "100", "--no-color"],
            capture_output=True, text=True, cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"})
    # A body with too many messages would fill the screen.
    report = "\n".join(line[:400] for line in (done.stdout + done.stderr).splitlines())
    assert done.returncode == 0, report
    tested = re.search(r"Tested: (\d+)", report)[1]
    assert re.search(r"\d+ generated, \d+ passed", report), report
    operations = sum(len(path) for path in json.loads(DESCRIPTION.read_text())["paths"].values())
    assert int(tested) == operations, report
    assert " error " not in site.log()
