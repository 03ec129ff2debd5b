"""Starts, stops and measures the processes of a benchmark."""

import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.request


def free_port():
    """A port of the loopback address that nobody listens at now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address, process, seconds=30):
    """Waits until the address answers."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError as error:
            if process.has_ended:
                raise RuntimeError(f"{process.name} ended:\n{process.log.read_text()[-4000:]}") from error
            if time.monotonic() > end:
                raise RuntimeError(f"{process.name} does not answer: {error}") from error
            time.sleep(0.05)


def tree(pid):
    """The id of a process and those of all that descend from it."""
    pids = [pid]
    for pid in pids:
        try:
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                pids += map(int, children.read_text().split())
        except OSError:
            pass
    return pids


def processor_seconds(pid):
    """What the tree of a process has used, children that have ended included."""
    ticks = 0
    for member in tree(pid):
        try:
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # utime, stime, and those of children that were waited for (proc(5)).
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Process:
    """A program with its children; what it prints goes to a file in the folder."""

    def __init__(self, name, folder, command, environment=None, directory=None):
        self.name = name
        self.log = pathlib.Path(folder, f"{name}.log")
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                command, env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def has_ended(self):
        return self.popen.poll() is not None

    def stop(self):
        """Asks it to end, and makes it after ten seconds."""
        self.popen.terminate()
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            children = self.tree()
            self.popen.kill()
            self.popen.wait()
            for pid in children[1:]:
                subprocess.run(["kill", "-KILL", str(pid)], check=False, stderr=subprocess.DEVNULL)

    def tree(self):
        """Its id and those of all that descend from it."""
        return tree(self.popen.pid)

    def reset_peak(self):
        """Lets the peak of its memory begin anew."""
        for pid in self.tree():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def memory(self):
        """Kilobytes of the tree now and at the peak, pages that processes share counted once.

        Now is the sum of PSS. The peak is that of RSS (VmHWM) of each process, less what is shared
        now; processes that had their peaks at different times make it too large.
        """
        resident, proportional, peak = 0, 0, 0
        for pid in self.tree():
            try:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            resident += kilobytes(rollup, "Rss")
            proportional += kilobytes(rollup, "Pss")
            peak += kilobytes(status, "VmHWM")
        return {"now": proportional, "peak": max(proportional, peak - (resident - proportional))}


def kilobytes(text, name):
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0
