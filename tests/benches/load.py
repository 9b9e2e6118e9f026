"""What it costs to load the same gzipped CloudTrail files in several ways, side by side.

    cargo build --release
    python tests/benches/load.py target/release/roletrail LOGS [--threads N] [--events N] [--runs N]

Needs the packages duckdb, chdb and deltalake (tests/python/requirements.txt). LOGS is a folder of
delivered files; with `--events`, one of so many invented events is made where it is absent. Files are in
the page cache; what is written goes to the folder for temporary files ($TMPDIR) and is removed.

- gunzip: every file to nowhere, no more; a process for each file, then one for as many as it takes.
- DuckDB and ClickHouse's engine (chdb): engines.py, into one Parquet file.
- roletrail ingest: into a new store; books, duplicates, grants, sessions and chains included.

The numbers of rows must be one, and so must be what is in them (engines.py says what is compared).
Times are whole processes, from start to end; with several runs, the one of median wall time.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

import measure

ENGINES = pathlib.Path(__file__).with_name("engines.py")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("logs", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="[default: all cores]")
    parser.add_argument("--events", type=int, help="make LOGS of so many events where it is absent")
    parser.add_argument("--runs", type=int, default=1)
    return parser.parse_args()


def ways(program, logs, work, threads, files):
    """Names, and what runs each for the nth time: its cost, and the rows that came out, if any."""

    def gunzip(files_a_process):
        script = 'find "$0" -name "*.json.gz" -print0 | xargs -0 -n "$1" -P "$2" gunzip -c > /dev/null'
        words = ["bash", "-o", "pipefail", "-c", script, logs, files_a_process, threads]
        return lambda n: (measure.measured(words), None)

    def engine(name):
        def load(n):
            out = work / f"{name}-{n}.parquet"
            cost = measure.measured([sys.executable, ENGINES, name, logs, out, threads])
            return cost, int(cost.out)

        return load

    def ours(n):
        cost, (records, _, _) = measure.ingest(program, work / f"store-{n}", logs, threads)
        return cost, records

    yield "gunzip, one process a file", gunzip(1)
    yield "gunzip, many files a process", gunzip(-(-files // threads))
    yield "DuckDB", engine("duckdb")
    yield "ClickHouse's engine", engine("clickhouse")
    yield "roletrail ingest", ours


def main():
    args = arguments()
    program, logs, threads = args.program.resolve(), args.logs.resolve(), args.threads
    if args.events:
        measure.generated(program, logs, args.events)
    if (logs / "AWSLogs").exists():
        logs = logs / "AWSLogs"
    files = sum(path.endswith(".json.gz") for path in measure.files(logs))
    if not files:
        sys.exit(f"{logs} has no files *.json.gz; --events N makes some")
    measure.warm(logs)
    _, gzipped = measure.size(logs)
    print(f"{files:,} files, {measure.megabytes(gzipped)} gzipped, {threads} threads")
    measure.head("load", "wall time", "processor time", "peak memory", "rows")
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name, run in ways(program, logs, work, threads, files):
            runs = [run(n) for n in range(args.runs)]
            rows[name] = {count for _, count in runs}
            cost = statistics.median_low(cost for cost, _ in runs)
            shown = [name, f"{cost.wall:.2f} s", f"{cost.cpu:.2f} s"]
            if None in rows[name]:
                measure.row(*shown, "", "")  # what gunzip holds is less than what this program holds
            else:
                measure.row(*shown, f"{cost.peak:.0f} MiB", f"{min(rows[name]):,}")
        if len(set.union(*rows.values()) - {None}) != 1:
            sys.exit("the numbers of rows differ; has LOGS anything but delivered files of events?")
        outs = [work / "duckdb-0.parquet", work / "clickhouse-0.parquet"]
        compared = measure.measured([sys.executable, ENGINES, "compare", work / "store-0", *outs])
        print(f"\nequal, row by row, in {compared.out.strip()} columns")


main()
