"""Reads every table of a roletrail store with DuckDB and with polars and prints, as one JSON object,
what each of them sees:

    {"versions": {"duckdb": ..., "polars": ...},
     "tables": {name: {"duckdb_rows", "polars_rows", "duckdb_types", "polars_types"}},
     "events": {"duckdb": {"min", "max", "sum", "resources", "on_last_day"}, "polars": {...}}}

Times are RFC 3339 in UTC. `sum` is the sum over all rows of event_time in microseconds, modulo
2^63: two readers that differ in a single row differ in it. Usage: check_store.py STORE
"""

import json
import pathlib
import sys
from datetime import timezone

import duckdb
import polars
from duckdb_extensions import import_extension


def rfc3339(time):
    if time is None:
        return None
    if time.tzinfo is None:
        raise SystemExit(f"{time} came without time zone")
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds")


def tables(store):
    return sorted(p.name for p in store.iterdir() if (p / "_delta_log").is_dir())


def scan(path):
    return "delta_scan('" + str(path).replace("'", "''") + "')"


def duckdb_events(connection, path):
    low, high, total, resources, last = connection.execute(
        f"""
        SELECT min(event_time), max(event_time),
               sum(epoch_us(event_time)::HUGEINT) % 9223372036854775808,
               sum(len(resources)), count(*) FILTER (WHERE event_date = (SELECT max(event_date) FROM {scan(path)}))
        FROM {scan(path)}
        """
    ).fetchone()
    return {
        "min": rfc3339(low),
        "max": rfc3339(high),
        "sum": None if total is None else int(total),
        "resources": None if resources is None else int(resources),
        "on_last_day": last,
    }


def polars_events(path):
    frame = polars.scan_delta(str(path)).select("event_time", "event_date", "resources").collect()
    if frame.is_empty():
        return {"min": None, "max": None, "sum": None, "resources": None, "on_last_day": 0}
    micros = frame["event_time"].dt.epoch("us").drop_nulls()
    return {
        "min": rfc3339(frame["event_time"].min()),
        "max": rfc3339(frame["event_time"].max()),
        "sum": sum(micros.to_list()) % (1 << 63),
        "resources": frame["resources"].list.len().sum(),
        "on_last_day": frame.filter(polars.col("event_date") == polars.col("event_date").max()).height,
    }


def main():
    store = pathlib.Path(sys.argv[1]).resolve()
    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    # The answer must not depend on where the reader sits.
    connection.execute("SET TimeZone = 'Asia/Tokyo'")

    found = {}
    for name in tables(store):
        path = store / name
        described = connection.execute(f"DESCRIBE SELECT * FROM {scan(path)}").fetchall()
        frame = polars.scan_delta(str(path))
        found[name] = {
            "duckdb_rows": connection.execute(f"SELECT count(*) FROM {scan(path)}").fetchone()[0],
            "polars_rows": frame.select(polars.len()).collect().item(),
            "duckdb_types": {row[0]: row[1] for row in described},
            "polars_types": {k: str(v) for k, v in frame.collect_schema().items()},
        }
    events = store / "events"
    report = {
        "versions": {"duckdb": duckdb.__version__, "polars": polars.__version__},
        "tables": found,
        "events": {"duckdb": duckdb_events(connection, events), "polars": polars_events(events)},
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
