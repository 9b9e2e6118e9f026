"""Writes records as the Parquet tables that people bring: write_parquet.py RECORDS.json FOLDER."""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# Kept as JSON text by AWS's table for Athena.
JSON = ["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails",
        "edgeDeviceDetails"]

records = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[2])


def lower(value):
    """Names in lower case, as SQL engines write structs. Maps keep theirs."""
    if isinstance(value, dict):
        return {name.lower(): inner if name == "attributes" and "sub" in inner else lower(inner)
                for name, inner in value.items() if inner is not None}
    return [lower(inner) for inner in value] if isinstance(value, list) else value


def cell(name, value):
    if value is None:
        return None
    if name in JSON:
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    return lower(value)


names = list(dict.fromkeys(name for record in records for name in record))
athena = pa.table({name.lower(): [cell(name, record.get(name)) for record in records] for name in names})
pq.write_table(athena, folder / "athena.parquet", compression="gzip", row_group_size=40)
pq.write_table(athena, folder / "pages-of-version-2.parquet", compression="gzip", row_group_size=100,
               data_page_version="2.0", data_page_size=2000)
large = athena.cast(pa.schema([pa.field(f.name, pa.large_string() if f.type == pa.string() else f.type)
                               for f in athena.schema]))
pq.write_table(large, folder / "large-texts.parquet", compression="lz4")
# Without a note that bytes are text, as old writers leave it.
plain = athena.cast(pa.schema([pa.field(f.name, pa.binary() if f.type == pa.string() else f.type)
                               for f in athena.schema]))
pq.write_table(plain, folder / "bytes.parquet", store_schema=False)

con = duckdb.connect()
con.register("athena", athena)
con.execute(f"COPY (FROM athena) TO '{folder}/duckdb.parquet' (ROW_GROUP_SIZE 100)")

# A table as CloudTrail Lake has it: times, flags.
flags = [record.get("readOnly") for record in records]
times = con.execute("SELECT eventtime::TIMESTAMP AS t FROM athena").to_arrow_table().column("t")
lake = athena.set_column(athena.column_names.index("eventtime"), "eventTime", times)
lake = lake.set_column(lake.column_names.index("readonly"), "readOnly", pa.array(flags))
pq.write_table(lake, folder / "lake.parquet")
pq.write_table(lake, folder / "lake-int96.parquet", use_deprecated_int96_timestamps=True)

text = pa.table({"bucket": ["b"] * len(records), "event": [json.dumps(r) for r in records]})
pq.write_table(text, folder / "json-column.parquet")
ocsf = {"class_uid": [3005] * len(records), "metadata": [{"version": "1.1.0"}] * len(records),
        "activity_id": [1] * len(records), "unmapped": [{"eventType": "AwsApiCall"}] * len(records)}
pq.write_table(pa.table({**ocsf, "raw_data": text["event"]}), folder / "ocsf-with-raw-data.parquet")

other = folder / "other"
other.mkdir()
pq.write_table(pa.table(ocsf), other / "ocsf.parquet")
pq.write_table(pa.table({"a": [1], "b": ["x"]}), other / "none-of-ours.parquet")
pq.write_table(athena, other / "brotli.parquet", compression="brotli")
pq.write_table(athena, other / "delta.parquet", compression="zstd", use_dictionary=False,
               column_encoding={"eventid": "DELTA_LENGTH_BYTE_ARRAY", "eventname": "DELTA_BYTE_ARRAY"})
pq.write_table(athena.slice(0, 0), other / "empty.parquet")
# One text, said a million times in some bytes.
long = pa.DictionaryArray.from_arrays(pa.array([0] * 3000, pa.int32()), pa.array(["x" * (3 << 20)]))
bomb = pa.table({"eventtime": ["2024-05-01T09:00:00Z"] * 3000, "eventname": ["X"] * 3000,
                 "eventsource": ["ec2.amazonaws.com"] * 3000, "useragent": long})
pq.write_table(bomb, other / "one-text-many-times.parquet", compression="zstd")
# A row of millions of nothing.
many = pa.array([[None] * 3_000_000], pa.list_(pa.struct([("arn", pa.string())])))
pq.write_table(pa.table({"eventtime": ["2024-05-01T09:00:00Z"], "eventname": ["X"], "resources": many}),
               other / "long-list.parquet")
