"""What the service is to reach, as ratios of medians of one run, and what it did."""

from dataclasses import dataclass
from typing import Callable

import growth

OTHERS = ("fastapi", "python", "go", "rust", "php")


@dataclass(frozen=True)
class Goal:
    """One ratio of ours to what it is compared with."""

    what: str
    beside: str
    ratio: Callable[[dict], float]
    goal: str
    is_met: Callable[[float], bool]


def at_most(limit):
    return {"goal": f"≤ {limit:g}", "is_met": lambda ratio: ratio <= limit}


def at_least(limit):
    return {"goal": f"≥ {limit:g}", "is_met": lambda ratio: ratio >= limit}


def of(name, ours="orbital", *, to):
    """Ours divided by `to`'s, both of the figure `name`."""
    return lambda results: results[name][ours] / results[name][to]


def speed(name, ours="orbital", *, to):
    """How much sooner ours is done."""
    return lambda results: results[name][to] / results[name][ours]


def best(name):
    """Ours divided by the best of the others."""
    return lambda results: results[name]["orbital"] / max(
        value for other, value in results[name].items() if other in OTHERS)


def spread(name, sizes):
    """The largest deviation from the middle of these sizes."""
    def ratio(results):
        values = [results[name][size] for size in sizes if size in results[name]]
        return max(values) / min(values)
    return ratio


def at_fifty_million(name):
    return lambda results: results[f"{name}, ms"]["50000000"]


def other_zone(results):
    """Sums in a zone without levels beside the same over the records, at the largest size."""
    ours, records = results[f"{growth.OTHER_ZONE}, ms"], results[f"{growth.RECORDS}, ms"]
    return list(ours.values())[-1] / list(records.values())[-1]


def slowest_growth(results):
    """The largest size beside 1.5 times the one before, or 5 ms more: the worst question."""
    figures = [list(results[f"{question.name}, ms"].values())[-2:] for question in growth.questions()]
    return max(large / max(1.5 * small, small + 5) for small, large in figures)


FULL = "full read, s"
PAGES, MOVING = "pages of 1,000 unchanged, per s", "pages of 1,000, 100 changes a second, per s"
HEALTH, ALIVE = "/health, cached for 500 ms, per s", "/health/live, per s"
BATCHES, ATTRIBUTED = "batches of 1,000, messages per s", "batches of 1,000 with attributions, messages per s"
SUMMARY, SUMMARY_AGAIN = "summary of a year by days, s", "summary unchanged, s"
LIVE, CGI = "CGI, /health/live, s", "CGI, limit=10, s"
PEAKS, SIZES = "peak memory of eight full reads, MiB", "full read by size, s per million records"

GOALS = [
    Goal("full read, cold: time", "binary `COPY` in psql", of(FULL, to="copy"), **at_most(1.15)),
    Goal("full read, cold: time", "Go", of(FULL, to="go"), **at_most(1)),
    Goal("full read, cold: speed", "FastAPI", speed(FULL, to="fastapi"), **at_least(45)),
    Goal("`limit=1000`, unchanged: requests/s", "static file", of(PAGES, to="static"), **at_least(0.5)),
    Goal("`limit=1000`, unchanged: requests/s", "best other", best(PAGES), **at_least(5)),
    Goal("`limit=1000`, 100 changes/s: requests/s", "best other", best(MOVING), **at_least(1)),
    Goal("`/health`, cached for 500 ms: requests/s", "nginx `return 200`", of(HEALTH, to="return 200"), **at_least(0.4)),
    Goal("`/health/live`: requests/s", "best other", best(ALIVE), **at_least(1)),
    Goal("batches of 1,000: messages/s", "`COPY FROM`", of(BATCHES, to="copy"), **at_least(0.6)),
    Goal("batches of 1,000: messages/s", "Go", of(BATCHES, to="go"), **at_least(1)),
    Goal("batches of 1,000 with attributions: messages/s", "Go without rollups", of(ATTRIBUTED, to="go"), **at_least(0.85)),
    Goal("batches of 1,000: messages/s", "FastAPI", of(BATCHES, to="fastapi"), **at_least(20)),
    Goal("year by days, cold: time", "the SQL in psql", of(SUMMARY, to="psql"), **at_most(1.1)),
    Goal("year by days, unchanged: ms", "", lambda r: 1000 * r[SUMMARY_AGAIN]["orbital"], **at_most(2)),
    Goal("CGI, `/health/live`: ms", "", lambda r: 1000 * r[LIVE]["orbital"], **at_most(8)),
    Goal("CGI, `/health/live`: time", "Go", of(LIVE, to="go"), **at_most(1.1)),
    Goal("CGI, `limit=10`: ms", "", lambda r: 1000 * r[CGI]["orbital"], **at_most(20)),
    Goal("8 full reads at once, peak: MiB", "", lambda r: max(r[PEAKS].values()), **at_most(24)),
    Goal("time per record, 10,000 to 1,000,000: largest / least", "",
         spread(SIZES, ("10000", "100000", "1000000", "10000000")), **at_most(1.3)),
    *(Goal(f"50 million records, {question.name}: ms", "", at_fifty_million(question.name), **at_most(question.limit))
      for question in growth.questions()),
    Goal("time at the largest size, the worst question", "1.5 × or 5 ms more than at the one before", slowest_growth,
         **at_most(1)),
    Goal("sums by user in another zone: time", "the same over the records", other_zone, **at_most(1.2)),
]


def table(results):
    """The goals whose figures were measured, as a Markdown table."""
    lines = ["| what | beside | ratio or figure | goal | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        try:
            ratio = goal.ratio(results)
        except (KeyError, ValueError):
            continue
        mark = "✓" if goal.is_met(ratio) else "missed"
        lines.append(f"| {goal.what} | {goal.beside} | {ratio:.3g} | {goal.goal} | {mark} |")
    return "\n".join(lines) + "\n"
