#!/usr/bin/env python3
"""mixed.py SECONDS: sixteen writers record single messages and batches, import, insert, update and delete with SQL,
rename and erase users, while merges, rebuilds and changes of reporting zones run. Fails if one meets a deadlock or
an error, or if a record or a sum is wrong in the end. SEED=… repeats the choices of a run."""
import pathlib
import sys
import tempfile

from service import Service, cluster

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "api"))
from runs import Run, write_for  # noqa: E402


def main(seconds):
    with tempfile.TemporaryDirectory(prefix="orbital-mixed-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        try:
            cluster("start", folder / "postgres", "max_connections=200")
            service = Service(folder, records=0, url=cluster("url", folder / "postgres"))
            try:
                print(write_for(Run(service, 16), float(seconds)))
                print("deadlocks that the service resolved:",
                      service.psql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
            finally:
                service.stop()
        finally:
            cluster("stop", folder / "postgres")


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(sys.argv[1])
