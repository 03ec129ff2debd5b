"""plots.py RESULTS.json PLOTS.svg: draws what was measured."""

import json
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"orbital": "#0f766e", "static": "#94a3b8", "copy": "#94a3b8", "return 200": "#94a3b8"}
TITLES = {
    "full read, s": "All of a million records\nseconds, log (less is better)",
    "pages of 1,000 unchanged, per s": "limit=1000, unchanged\nrequests per second",
    "pages of 1,000, 100 changes a second, per s": "limit=1000, 100 changes a second\nrequests per second",
    "/health/live, per s": "/health/live\nrequests per second",
    "batches of 1,000, messages per s": "POST in batches of 1,000\nmessages per second",
    "peak memory of eight full reads of 100,000, MiB": "Peak memory, 8 full reads of 100,000\nMiB, log",
}


def draw(axes, values, title):
    names = sorted(values, key=values.get)
    if "less" in title or "MiB" in title:
        names.reverse()
        axes.set_xscale("log")
    bars = axes.barh(names, [values[name] for name in names], color=[COLOURS.get(n, "#cbd5e1") for n in names])
    axes.bar_label(bars, [f"{values[name]:,.3g}" if values[name] < 1000 else f"{values[name]:,.0f}" for name in names],
                   padding=3, fontsize=8)
    axes.set_title(title, fontsize=9, loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([], minor=True)
    axes.set_xticks([])
    axes.margins(x=0.18)
    axes.tick_params(axis="y", length=0, labelsize=8)


def main(source, target):
    results = json.loads(open(source).read())
    shown = [(results[name], title) for name, title in TITLES.items() if name in results]
    plt.rcParams |= {"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": "orbital"}
    figure, grid = plt.subplots(-(-len(shown) // 2), 2, figsize=(9, 1.9 * -(-len(shown) // 2)), squeeze=False)
    for axes, (values, title) in zip(grid.flat, shown):
        draw(axes, values, title)
    for axes in list(grid.flat)[len(shown):]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None}, facecolor="white")


main(*sys.argv[1:])
