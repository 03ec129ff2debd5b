"""A clone whose directory was copied or moved together with .build."""

import os
import pathlib
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.full
def test_a_copied_clone_builds(tmp_path):
    copy = tmp_path / "copy"
    # Without what the build does not need.
    subprocess.run(["cp", "-a", "--reflink=auto", REPOSITORY, copy], check=True)
    # A make that runs pytest passes flags and a level on, and its child then names its directory first.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "build"], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    assert done.stdout.startswith(f"this directory was moved or copied from {REPOSITORY}"), done.stdout[:300]
    version = subprocess.run([copy / ".build/release/orbital-fcgi", "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("orbital-fcgi "), version
