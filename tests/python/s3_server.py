"""An S3 server on loopback, in memory. Prints its port and ends when its standard input does.

Buckets: `logs`; `versioned`, which keeps versions; `public-logs`; `stores`. Listings come in pages of
seven. As in S3, whether a conditional put may be done is decided in one step with doing it.
"""

import logging
import os
import sys
import threading

os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "7"
os.environ["AWS_ACCESS_KEY_ID"] = os.environ["AWS_SECRET_ACCESS_KEY"] = "setup"

import boto3
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer

one_at_a_time = threading.Lock()
put_object = S3Response.put_object


def put_object_in_one_step(self):
    with one_at_a_time:
        return put_object(self)


S3Response.put_object = put_object_in_one_step

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
_, port = server.get_host_and_port()

s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
for bucket in ["logs", "versioned", "public-logs", "stores"]:
    s3.create_bucket(Bucket=bucket)
s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})

print(port, flush=True)
sys.stdin.read()
