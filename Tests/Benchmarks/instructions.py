"""Counts the instructions of the hot paths with callgrind, whatever else the machine does, and holds them to bounds.

    python3 Tests/Benchmarks/instructions.py .build/release/instruction-counts .run/tokenizers

Each workload runs twice, with more rounds the second time: start-up is no part of the difference.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

# The most instructions an item: about 1.4 times what was measured on 2026-11-25, which stands beside it, with
# Swift 6.3, glibc 2.36 and valgrind 3.19 on x86-64. Repeated runs differ by less than 0.1 %. The CPU matters little:
# valgrind shows programs AVX2 at the most, and where glibc is told to do without AVX2, ERMS and BMI2
# (GLIBC_TUNABLES), the counts change by 5 % at the most. A compiler or a C library may move them more.
# Who makes a path dearer on purpose raises its bound and says why; who makes it much cheaper lowers it.
BOUNDS = {
    # workload: (an item is one …, bound)
    "row-scanner": ("row", 360),  # 257
    "json-encoder": ("record", 2670),  # 1904, with its row read as in all encoders
    "ndjson-encoder": ("record", 2670),  # 1905
    "csv-encoder": ("record", 2500),  # 1781
    # From a body to the arrays for the database. The bounds are tighter, 1.08 times what was measured on 2026-11-29:
    # within 1.4 times, the table of columns made messages a fifth more expensive, and nothing failed.
    "json-parser": ("message", 18760),  # 17374
    "ndjson-parser": ("message", 20590),  # 19122
    "timestamp-parser": ("timestamp", 1090),  # 778
    "tokenizer": ("token", 690),  # 493, with o200k_base
    # Runs of 64 KiB of one character; 826 if each window is merged.
    "tokenizer-runs": ("byte", 76),  # 54
}
ROUNDS = (2, 5)
# A workload that falls so far below its bound is no longer held by it, or no longer does its work.
SLACK = 3


def run(program, workload, rounds, tokenizers, folder):
    """The instructions of one run, and what the program printed: its items a round, and a size of what came out."""
    counts = folder / f"{workload}.{rounds}"
    # The seed of Swift's hashes would be another one in every process.
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", program, workload, str(rounds), tokenizers],
        capture_output=True, text=True, env={**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"})
    if done.returncode != 0:
        sys.exit(f"{workload}: callgrind ended with {done.returncode}:\n{done.stderr[-2000:]}")
    totals = [line for line in counts.read_text().splitlines() if line.startswith("summary:")]
    return int(totals[0].split()[1]), done.stdout


def instructions(program, workload, tokenizers, folder):
    """The instructions an item."""
    (few, output), (many, same) = (run(program, workload, rounds, tokenizers, folder) for rounds in ROUNDS)
    if output != same:
        sys.exit(f"{workload}: not every round comes to the same: {output.strip()} and {same.strip()}")
    return (many - few) / (ROUNDS[1] - ROUNDS[0]) / int(output.split()[0])


def fault(workload, item, measured, bound, program, tokenizers):
    """What is wrong with a count, in words; None when nothing is."""
    if measured > bound:
        return f"""{workload} takes {measured:.0f} instructions a {item}; {bound} are allowed. To see where they go:
    strip --strip-debug -o /tmp/instruction-counts {program}
    valgrind --tool=callgrind --callgrind-out-file=/tmp/callgrind.out /tmp/instruction-counts {workload} 20 {tokenizers}
    callgrind_annotate /tmp/callgrind.out | swift demangle --simplified | head -60"""
    if measured * SLACK < bound:
        return (f"{workload} takes only {measured:.0f} instructions a {item}: see that it still does its work, and "
                f"lower its bound in Tests/Benchmarks/instructions.py, which is {bound}.")
    return None


def main(program, tokenizers):
    faults = []
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        folder = pathlib.Path(name)
        # Debian's valgrind gives up on the DWARF 5 of Swift's libraries; the names of functions stay.
        stripped = folder / "instruction-counts"
        subprocess.run(["strip", "--strip-debug", "-o", stripped, program], check=True)
        # The tokenizer takes longest.
        order = sorted(BOUNDS, key=lambda workload: workload != "tokenizer")
        counts = {workload: threads.submit(instructions, stripped, workload, tokenizers, folder) for workload in order}
        for workload, (item, bound) in BOUNDS.items():
            measured = counts[workload].result()
            print(f"measured: {workload}: {measured:.0f} instructions a {item} (limit {bound})")
            faults.append(fault(workload, item, measured, bound, program, tokenizers))
    if any(faults):
        sys.exit("\n".join(filter(None, faults)))


main(*sys.argv[1:])
