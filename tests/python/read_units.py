"""Reads a Kubernetes manifest and a property list; prints both as JSON. Usage: read_units.py YAML PLIST"""

import json
import plistlib
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as manifest, open(sys.argv[2], "rb") as plist:
    print(json.dumps({"yaml": yaml.safe_load(manifest), "plist": plistlib.load(plist)}))
