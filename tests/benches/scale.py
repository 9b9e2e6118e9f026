"""How an ingest grows: with the events, with the threads, with the number of files; and what a start costs.

    cargo build --release
    python tests/benches/scale.py target/release/roletrail OUT

Needs the package matplotlib (tests/python/requirements.txt). Logs are invented once and kept in OUT
(ten million events: 2 GB; 300,000 tiny files: 1.3 GB on the disk); stores are removed once measured.
Prints tables in Markdown and draws OUT/scale.svg. Files are in the page cache; times are of one run of
the whole process.
"""

import argparse
import gzip
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import measure

STARTS = 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    millions = [1_000_000, 3_000_000, 10_000_000]
    parser.add_argument("--events", type=int, nargs="+", default=millions)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--files", type=int, default=300_000, help="tiny files, of two events on average")
    return parser.parse_args()


def ingest(program, out, logs, threads):
    """Cost, books, and bytes of the store, which is removed."""
    store = out / "store"
    shutil.rmtree(store, ignore_errors=True)
    cost, books = measure.ingest(program, store, logs, threads)
    _, stored = measure.size(store)
    shutil.rmtree(store)
    return cost, books, stored


def shown(cost, records):
    return [
        f"{cost.wall:.2f} s",
        f"{cost.cpu:.2f} s",
        f"{records / cost.wall:,.0f}",
        f"{cost.peak:.0f} MiB",
    ]


COST = ["wall time", "processor time", "records/s", "peak memory"]


def growth(program, out, numbers, threads):
    """What each number of events costs, for the plot: {threads: [(events, cost)]}."""
    measure.head("events", "files", "gzipped", "store", "threads", *COST)
    costs = {count: [] for count in threads}
    for events in sorted(numbers):
        logs = measure.generated(program, out / f"logs-{events}", events)
        measure.warm(logs)
        files, gzipped = measure.size(logs)
        for count in threads:
            cost, (records, kept, _), stored = ingest(program, out, logs, count)
            if kept != events:
                sys.exit(f"{kept} of {events} events were kept")
            costs[count].append((events, cost))
            sizes = map(measure.megabytes, [gzipped, stored])
            measure.row(f"{events:,}", f"{files:,}", *sizes, count, *shown(cost, records))
    return costs


def split(large, tiny):
    """The same records in files of one, two and three in turn."""
    counts = itertools.cycle([1, 2, 3])
    for path in sorted(large.rglob("*.json.gz")):
        folder = tiny / path.relative_to(large).parent
        folder.mkdir(parents=True, exist_ok=True)
        records = iter(json.loads(gzip.decompress(path.read_bytes()))["Records"])
        stem = path.name.removesuffix(".json.gz")
        for number in itertools.count():
            some = list(itertools.islice(records, next(counts)))
            if not some:
                break
            text = json.dumps({"Records": some}, separators=(",", ":"))
            (folder / f"{stem}{number}.json.gz").write_bytes(gzip.compress(text.encode(), 6))


def tiny_files(program, out, files, threads):
    """The same events in files as they are delivered and in tiny ones; their books must be one."""
    large = measure.generated(program, out / f"logs-{2 * files}", 2 * files)
    tiny = out / f"tiny-{files}"
    if not tiny.exists():
        half_done = out / "half-done"
        shutil.rmtree(half_done, ignore_errors=True)
        # In a program of its own: see measure.measured.
        subprocess.run([sys.executable, __file__, "split", large, half_done], check=True)
        half_done.rename(tiny)
    measure.head("events", "files", "gzipped", "store", *COST)
    books = set()
    for logs in (large, tiny):
        measure.warm(logs)
        cost, counted, stored = ingest(program, out, logs, threads)
        books.add(counted)
        number, gzipped = measure.size(logs)
        sizes = map(measure.megabytes, [gzipped, stored])
        measure.row(f"{counted[1]:,}", f"{number:,}", *sizes, *shown(cost, counted[0]))
    if len(books) != 1:
        sys.exit(f"other books from the same records: {books}")


def starts(program):
    measure.head("start", f"median of {STARTS}", "peak memory")
    for flag in ("--version", "--help"):
        cost = statistics.median_low(measure.measured([program, flag]) for _ in range(STARTS))
        measure.row(f"`{flag}`", f"{cost.wall * 1000:.1f} ms", f"{cost.peak:.0f} MiB")


def draw(costs, path):
    """Time and memory against events, in colours that can be read on white and on black."""
    import matplotlib

    matplotlib.use("svg")
    grey = "#808080"
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "scale",
            "font.family": "sans-serif",
            "font.size": 9,
            "axes.prop_cycle": matplotlib.cycler(color=["#d9822b", "#3b82f6", "#22a06b", "#c05fd0"]),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "legend.frameon": False,
            "legend.labelcolor": grey,
            **dict.fromkeys(["axes.edgecolor", "axes.labelcolor", "text.color"], grey),
            **dict.fromkeys(["xtick.color", "ytick.color"], grey),
        }
    )
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(7.2, 2.6), layout="constrained")
    largest = max(events for runs in costs.values() for events, _ in runs)
    unit, name = (1e6, "million events") if largest >= 1e6 else (1e3, "thousand events")
    for panel, title, value in [
        (panels[0], "wall time, s", lambda cost: cost.wall),
        (panels[1], "peak memory, MiB", lambda cost: cost.peak),
    ]:
        for threads, runs in costs.items():
            label = f"{threads} thread{'s' if threads > 1 else ''}"
            points = [(events / unit, value(cost)) for events, cost in runs]
            panel.plot(*zip(*points), marker="o", markersize=4, label=label)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel(name)
        panel.set_xlim(left=0)
        panel.set_ylim(0, 1.1 * max(value(cost) for runs in costs.values() for _, cost in runs))
        panel.grid(color=grey, alpha=0.25, linewidth=0.6)
    panels[0].legend()
    figure.savefig(path, transparent=True, metadata={"Date": None})


def main():
    if sys.argv[1:2] == ["split"]:
        return split(*map(pathlib.Path, sys.argv[2:]))
    args = arguments()
    program, out = args.program.resolve(), args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    threads = sorted(set(args.threads))
    costs = growth(program, out, args.events, threads)
    tiny_files(program, out, args.files, threads[-1])
    starts(program)
    print(f"\nThe program has {measure.megabytes(program.stat().st_size)}.")
    draw(costs, out / "scale.svg")  # last: see measure.measured


main()
