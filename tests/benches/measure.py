"""What load.py and scale.py share: what a command costs, what a folder holds, tables in Markdown."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass


@dataclass(order=True)
class Cost:
    wall: float  # seconds
    cpu: float  # seconds of processor time, user and system, of all its processes
    peak: float  # MiB: most memory that one of its processes had resident
    out: str  # what it printed


def measured(command):
    """Runs a command to its end, and ends this program where it fails.

    Linux counts the memory of the program that starts another toward the other's peak, so whoever calls
    this leaves large libraries to programs of their own."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        command = [str(word) for word in command]
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=errors)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, errors):
            file.seek(0)
        if child.returncode:
            sys.exit(f"{' '.join(command)} ended with {child.returncode}\n{errors.read()}")
        kib = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        return Cost(wall, used.ru_utime + used.ru_stime, kib / 1024, out.read())


def ingest(program, store, logs, threads):
    """What an ingest into a store costs, and its books: records, kept, duplicates."""
    command = [program, "--store", store, "ingest", logs, "--threads", threads]
    cost = measured(command)
    books = re.search(
        r"records +(\d+) = (\d+) kept \+ (\d+) duplicates \+ 0 rejected", cost.out
    )
    if not books:
        sys.exit(f"books without rejects were expected:\n{cost.out}")
    return cost, tuple(int(number) for number in books.groups())


def generated(program, folder, events):
    """A folder of invented logs, made where it is absent, as delivered to 20 accounts; a third of a
    million events a day."""
    if not folder.exists():
        half_done = folder.with_name(f"{folder.name}.half-done")
        shutil.rmtree(half_done, ignore_errors=True)
        days = max(1, round(events * 3 / 1_000_000))
        words = ["--events", events, "--accounts", 20, "--days", days, "-o", half_done]
        measured([program, "generate-logs", *words])
        half_done.rename(folder)
    return folder / "AWSLogs"


def files(folder):
    """Paths of all files below a folder, one after the other: there can be very many."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(parent, name)


def size(folder):
    """Number and bytes of all files below a folder."""
    sizes = [os.path.getsize(path) for path in files(folder)]
    return len(sizes), sum(sizes)


def warm(folder):
    """Reads all files once, so that every run finds them in the page cache."""
    for path in files(folder):
        with open(path, "rb") as file:
            while file.read(1 << 20):
                pass


def head(*cells):
    """Begins a table in Markdown."""
    print()
    row(*cells)
    row(*["---"] * len(cells))


def row(*cells):
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def megabytes(number):
    return f"{number / 1e6:,.1f} MB"
