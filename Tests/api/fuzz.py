"""Lets schemathesis try the live service with all its checks, as openapi.json describes it.

URL ACCESS KEY EXAMPLES: with ACCESS keyed, reading without a key must be refused, too.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
DESCRIPTION = HERE.parent.parent / "nginx/html/openapi.json"


def described(access):
    """The description of a service with this access: with keyed, nothing is open to all."""
    document = json.loads(DESCRIPTION.read_text())
    for path in document["paths"].values() if access == "keyed" else []:
        for operation in path.values():
            operation["security"] = [way for way in operation["security"] if way]
    return document


def main(url, access, key, examples):
    with tempfile.TemporaryDirectory() as folder:
        document = pathlib.Path(folder, "openapi.json")
        document.write_text(json.dumps(described(access)))
        done = subprocess.run(
            [pathlib.Path(sys.executable).with_name("schemathesis"), "--config-file", HERE / "schemathesis.toml",
             "run", document, "--url", url, "--header", f"Authorization: Bearer {key}", "--checks", "all",
             "--seed", "20261124", "--max-examples", examples, "--no-color"],
            capture_output=True, text=True, cwd=folder,
            env=os.environ | {"SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"})
    # A body with too many messages would fill the screen.
    report = "\n".join(line[:400] for line in (done.stdout + done.stderr).splitlines())
    if done.returncode != 0:
        sys.exit(report)
    tested = re.search(r"Tested: (\d+)", report)[1]
    cases = re.search(r"(\d+) generated, (\d+) passed.*", report)[0]
    operations = sum(len(path) for path in json.loads(DESCRIPTION.read_text())["paths"].values())
    assert int(tested) == operations, report
    print(f"measured: {access}, {tested} operations, {cases}")


main(*sys.argv[1:])
