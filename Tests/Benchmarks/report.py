"""Writes the results: figures as JSON and as tables, plots as SVG."""

import json
import pathlib
import shutil
import subprocess

from goals import table
from nginx import REPOSITORY

PUBLISHED = REPOSITORY / "Tests/Benchmarks/results"
END = "<!-- end of what was measured -->"


def figures(results):
    """One line for each figure; the ratio is ours to theirs."""
    lines = ["| what | who | median | orbital / it |", "|---|---|---|---|"]
    for what, values in results.items():
        ours = values.get("orbital")
        for who, value in values.items():
            ratio = f"{ours / value:.2f}" if ours is not None and who != "orbital" else ""
            lines.append(f"| {what} | {who} | {value:,.4g} | {ratio} |")
    return "\n".join(lines) + "\n"


def write_report(results, folder):
    """Everything into `folder`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "results.md").write_text(
        f"# Goals\n\n{table(results)}\n# Figures\n\n{figures(results)}\n![plots](plots.svg)\n")
    # Debian's Python has Debian's matplotlib.
    subprocess.run(
        ["/usr/bin/python3", pathlib.Path(__file__).with_name("plots.py"), folder / "results.json", folder / "plots.svg"],
        check=True)


def publish(folder):
    """Makes the results in `folder` those of the repository."""
    PUBLISHED.mkdir(exist_ok=True)
    for name in ("results.json", "results.md", "plots.svg"):
        shutil.copy(pathlib.Path(folder, name), PUBLISHED / name)


def put(page, begin, text):
    """Puts what was measured into a page, from the line `begin` to the end of what was measured."""
    before, rest = page.read_text().split(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n{END}{rest.split(END)[1]}")
