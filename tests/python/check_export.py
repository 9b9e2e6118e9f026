"""Reads exports of the view `activity` with DuckDB, polars, pandas and pyarrow. Prints, as one JSON
object by place and reader, the number of rows, the types of a few columns, and a hash over all rows of
event_id, time, origin, chain and resources, so that two readers that differ in a value differ in it.
Usage: check_export.py PLACE...
"""

import hashlib
import json
import pathlib
import sys
import uuid
from datetime import timezone

import duckdb
import pandas
import polars
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet

COLUMNS = ["event_id", "event_time", "origin", "chain", "resources", "depth", "read_only"]


def plain(value):
    """A value as JSON has it, whatever a reader makes of it."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if hasattr(value, "tzinfo"):
        if pandas.isna(value):
            return None
        if value.tzinfo is None:
            raise SystemExit(f"{value} came without time zone")
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, uuid.UUID):  # what DuckDB takes such text for in JSON
        return str(value)
    if value is None or value is pandas.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def seen(rows, types):
    rows = sorted(([plain(v) for v in row] for row in rows), key=lambda row: row[0])
    text = json.dumps(rows, sort_keys=True)
    return {"rows": len(rows), "hash": hashlib.sha256(text.encode()).hexdigest(), "types": types}


def with_duckdb(place):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    read = "read_json" if place.suffix == ".ndjson" else "read_parquet"
    path = f"{place}/**/*.parquet" if place.is_dir() else str(place)
    scan = f"{read}('{path}')"
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()}
    columns = ", ".join(COLUMNS)
    if place.suffix == ".ndjson":  # its reader turns what ends with Z into UTC and forgets that it did
        columns = columns.replace("event_time", "event_time AT TIME ZONE 'UTC' AS event_time")
    return seen(connection.execute(f"SELECT {columns} FROM {scan}").fetchall(), types)


def with_polars(place):
    if place.suffix == ".arrow":
        frame = polars.read_ipc(place)
    else:
        frame = polars.scan_parquet(place, hive_partitioning=place.is_dir()).collect()
    types = {name: str(kind) for name, kind in frame.schema.items()}
    return seen(frame.select(COLUMNS).rows(), types)


def with_pandas(place):
    frame = pandas.read_feather(place) if place.suffix == ".arrow" else pandas.read_parquet(place)
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    return seen(frame[COLUMNS].itertuples(index=False), types)


def with_pyarrow(place):
    if place.suffix == ".arrow":
        table = pyarrow.feather.read_table(place)
    else:
        table = pyarrow.dataset.dataset(place, partitioning="hive").to_table()
    types = {field.name: str(field.type) for field in table.schema}
    rows = table.select(COLUMNS).to_pylist()
    return seen(([row[c] for c in COLUMNS] for row in rows), types)


READERS = {"duckdb": with_duckdb, "polars": with_polars, "pandas": with_pandas, "pyarrow": with_pyarrow}


def metadata(place):
    file = pyarrow.parquet.ParquetFile(place)
    group, schema = file.metadata.row_group(0), file.schema_arrow
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    return {
        "notes": {k.decode(): v.decode() for k, v in file.metadata.metadata.items() if k.startswith(b"roletrail.")},
        "sorted": [file.schema.column(c.column_index).name for c in group.sorting_columns],
        "blooms": sorted(name for name, column in columns.items() if column.bloom_filter_offset is not None),
        "compression": sorted({column.compression for column in columns.values()}),
        "statistics": sum(column.is_stats_set for column in columns.values()),
        "dictionaries": sum(column.has_dictionary_page for column in columns.values()),
        "meaning": (schema.field("origin").metadata or {}).get(b"comment", b"").decode(),
    }


def main():
    found = {}
    for argument in sys.argv[1:]:
        place = pathlib.Path(argument)
        readers = dict(READERS)
        if place.suffix == ".ndjson":
            readers = {"duckdb": with_duckdb}
        if place.suffix == ".arrow":
            del readers["duckdb"]
        found[place.name] = {name: read(place) for name, read in readers.items()}
        if place.suffix == ".parquet":
            found[place.name]["metadata"] = metadata(place)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
