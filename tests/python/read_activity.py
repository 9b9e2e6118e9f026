"""Answers "who was behind each event" over a roletrail store with DuckDB and with polars, joining the
tables as the view `activity` does. Prints {"duckdb": [[event_id, origin_type, origin, depth], ...],
"polars": [...]}, ordered by event id. Usage: read_activity.py STORE
"""

import json
import pathlib
import sys

import duckdb
import polars
from duckdb_extensions import import_extension

COLUMNS = ["event_id", "origin_type", "origin", "depth"]


def with_duckdb(store):
    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    for name in ["events", "attributions", "credentials"]:
        path = str(store / name).replace("'", "''")
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM delta_scan('{path}')")
    rows = connection.execute(
        """
        SELECT e.event_id, c.origin_type, c.origin, c.depth
        FROM events e
        LEFT JOIN attributions a ON a.event_id = e.event_id AND a.record_hash = e.record_hash
        LEFT JOIN credentials c ON c.credential_id = coalesce(a.credential_id, e.credential_id)
        ORDER BY e.event_id
        """
    ).fetchall()
    return [list(row) for row in rows]


def with_polars(store):
    def table(name, *columns):
        return polars.scan_delta(str(store / name)).select(columns)

    attributed = table("attributions", "event_id", "credential_id").rename({"credential_id": "other"})
    frame = (
        table("events", "event_id", "credential_id")
        .join(attributed, on="event_id", how="left")
        .with_columns(polars.coalesce("other", "credential_id").alias("credential_id"))
        .join(table("credentials", "credential_id", "origin_type", "origin", "depth"), on="credential_id", how="left")
        .select(COLUMNS)
        .sort("event_id")
        .collect()
    )
    return [list(row) for row in frame.rows()]


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    print(json.dumps({"duckdb": with_duckdb(folder), "polars": with_polars(folder)}))
