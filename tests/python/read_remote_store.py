"""Reads the tables of a store in S3 with polars and with the deltalake package and prints, as one JSON
object, how many rows each sees and, of events, the earliest time. Usage:
read_remote_store.py s3://BUCKET/PREFIX ENDPOINT KEY SECRET TABLE...
"""

import json
import sys

import polars
from deltalake import DeltaTable

store, endpoint, key, secret, *tables = sys.argv[1:]
options = {
    "AWS_ENDPOINT_URL": endpoint,
    "AWS_ALLOW_HTTP": "true",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": key,
    "AWS_SECRET_ACCESS_KEY": secret,
}
found = {}
for table in tables:
    address = f"{store}/{table}"
    frame = polars.scan_delta(address, storage_options=options)
    rows = DeltaTable(address, storage_options=options).to_pyarrow_dataset().count_rows()
    found[table] = {"polars": frame.select(polars.len()).collect().item(), "deltalake": rows}
    if table == "events":
        first = frame.select(polars.col("event_time").min()).collect().item()
        found["first"] = first.strftime("%Y-%m-%dT%H:%M:%SZ")
print(json.dumps(found))
