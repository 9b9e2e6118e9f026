"""How fast a store answers, beside DuckDB over the same Parquet files.

    cargo build --release
    target/release/roletrail generate-logs --events 10000000 --accounts 20 --days 30 -o LOGS
    target/release/roletrail --store STORE ingest LOGS/AWSLogs
    python tests/benches/questions.py target/release/roletrail STORE [RUNS]

Needs the packages duckdb and deltalake. Every question is asked RUNS times (5) in each way, and the
median is shown, in seconds of wall time and of processor time: `roletrail` as a command, from its start
to its end; the same statement in a shell that has answered it once (wall time); and the same statement in
DuckDB, which has its tables open and has answered it once. Files are in the page cache. Answers that
differ in their number of rows end the run.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time

import deltalake
import duckdb

PROGRAM, STORE = sys.argv[1], sys.argv[2]
RUNS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
MEMORY_MIB = 1024

# The view `activity` as roletrail documents it (src/sql/views.rs), in words that DuckDB knows too.
VIEW = re.search(
    r'const ACTIVITY_SQL: &str = "(.*?)";', open("src/sql/views.rs", encoding="utf-8").read(), re.S
).group(1)


def run(*words):
    """A command's output."""
    done = subprocess.run(
        [PROGRAM, "--store", STORE, *words], check=True, capture_output=True, text=True
    )
    return done.stdout


def ask(sql):
    return json.loads(run("query", "--format", "json", sql))


def open_duckdb():
    db = duckdb.connect()
    db.execute(f"SET memory_limit = '{MEMORY_MIB}MiB'")
    with open(f"{STORE}/snapshot.json", encoding="utf-8") as file:
        versions = json.load(file)["tables"]
    for table in ["events", "attributions", "credentials", "sessions"]:
        uris = deltalake.DeltaTable(f"{STORE}/{table}", version=versions[table]).file_uris()
        files = [uri.removeprefix("file://") for uri in uris]
        db.execute(
            f"CREATE VIEW {table} AS SELECT * FROM read_parquet({files!r}, hive_partitioning = true)"
        )
    db.execute(f"CREATE VIEW activity AS {VIEW}")
    return db


def cpu():
    """Processor time of this process and of the commands that it has run, seconds."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def median(call):
    """Wall and processor time."""
    call()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter(), cpu()
        call()
        times.append((time.perf_counter() - start[0], cpu() - start[1]))
    return tuple(map(statistics.median, zip(*times)))


def in_shell(sql):
    """The median of what the shell says of itself, its first answer left out."""
    script = "\\timing\n" + f"{sql};\n" * (RUNS + 1)
    done = subprocess.run(
        [PROGRAM, "--store", STORE, "shell"], input=script, check=True, capture_output=True, text=True
    )
    said = re.findall(r"time: ([0-9.]+) s", done.stderr)
    assert len(said) == RUNS + 1, (done.stdout, done.stderr)
    return (statistics.median(float(seconds) for seconds in said[1:]),)


def questions():
    """Names, what is typed, and the SQL behind it where DuckDB can be asked the same."""
    some = ask(
        "SELECT session_id, role_name, access_key_ids[1] AS key, origin FROM sessions "
        "WHERE event_count BETWEEN 8 AND 12 AND role_name IS NOT NULL AND origin_type = 'IAMUser' "
        "ORDER BY session_id LIMIT 1"
    )[0]
    event = ask(f"SELECT * FROM events WHERE session_id = '{some['session_id']}' LIMIT 1")[0]
    day = event["event_time"][:10]
    session, key, role = some["session_id"], some["key"], some["role_name"]
    all_of = "SELECT * FROM activity WHERE"
    yield "access key", ["who", "--access-key", key], f"{all_of} access_key_id = '{key}'"
    yield "event id", None, f"{all_of} event_id = '{event['event_id']}'"
    yield "session id", None, f"{all_of} session_id = '{session}'"
    until = ask(f"SELECT cast(DATE '{day}' + INTERVAL '1 day' AS date) AS d")[0]["d"][:10]
    yield (
        "role and day",
        ["who", "--role", role, "--since", day, "--until", until],
        f"{all_of} role_name = '{role}' AND event_date = DATE '{day}'",
    )
    address = event["source_ip_address"]
    yield (
        "address",
        ["who", "--source-ip", address],
        f"SELECT event_time, event_name, origin FROM activity WHERE source_ip_address = '{address}'",
    )
    yield (
        "a call that nobody made",
        ["who", "--action", "cloudtrail:DeleteTrail"],
        f"{all_of} event_name = 'DeleteTrail'",
    )
    touched = ask(
        "SELECT resources[1]['arn'] AS arn FROM events "
        f"WHERE event_date = DATE '{day}' AND resources[1]['arn'] LIKE 'arn:aws:s3:::%' LIMIT 1"
    )
    if touched:
        bucket = touched[0]["arn"].removeprefix("arn:aws:s3:::").split("/")[0]
        yield "a bucket, all days", ["who", "--resource", bucket], None
        until_then = ["--since", day, "--until", until]
        yield "a bucket on one day", ["who", "--resource", bucket, *until_then], None
    last = ask("SELECT cast(max(event_date) AS date) AS d FROM events")[0]["d"][:10]
    yield (
        "calls of IAM on the last day",
        ["who", "--action", "iam:*", "--since", last],
        f"{all_of} event_source = 'iam.amazonaws.com' AND event_date = DATE '{last}'",
    )
    yield (
        "latest ten",
        None,
        "SELECT event_time, event_name, origin, event_id FROM activity "
        "ORDER BY event_time DESC, event_id LIMIT 10",
    )
    yield (
        "calls by kind of origin",
        None,
        "SELECT origin_type, count(*) AS calls FROM activity GROUP BY origin_type",
    )
    yield "session", ["session", session], None
    yield "timeline", ["timeline", session], None
    yield "chain", ["chain", session], None


def main():
    db = open_duckdb()
    row = "| {:28} | {:>12} | {:>12} | {:>8} | {:>12} |"
    print(row.format("question", "command", "query", "in shell", "DuckDB"))
    print(row.format(*["---"] * 5))

    def shown(seconds):
        return " / ".join(f"{part:.2f}" for part in seconds)

    for name, words, sql in questions():
        command = median(lambda: run(*words)) if words else ()
        query = shell = other = ()
        if sql:
            theirs = len(db.execute(sql).fetchall())
            ours = len(ask(sql))
            assert ours == theirs, f"{name}: {ours} rows, DuckDB has {theirs}"
            query = median(lambda: run("query", "--format", "csv", sql))
            shell = in_shell(sql)
            other = median(lambda: db.execute(sql).fetchall())
        print(row.format(name, *map(shown, [command, query, shell, other])), flush=True)


main()
