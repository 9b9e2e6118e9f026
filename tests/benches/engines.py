"""Loads delivered CloudTrail files into one Parquet file with the columns of roletrail's `events`, in
DuckDB or in ClickHouse's engine, as well as we know how; and compares what came out.

    python tests/benches/engines.py duckdb|clickhouse LOGS OUT.parquet THREADS    # prints the rows
    python tests/benches/engines.py compare STORE OUT.parquet...

Of the columns of `events`, a plain load leaves out those that take a program: `session_id` and
`credential_id` (whose call it was), `record_hash` (duplicates by content) and `extra` (whatever has no
column of its own). Nor does it drop duplicates and session tokens, or keep books.

Parquet is compressed with Zstandard, level 1; roletrail takes level 6 for its three largest columns.
"""

import json
import pathlib
import sys

# Column, where it is in a record, kind.
COLUMNS = [
    line.split()
    for line in """
event_id                    eventID                                                text
event_time                  eventTime                                              time
event_version               eventVersion                                           text
event_source                eventSource                                            text
event_name                  eventName                                              text
event_type                  eventType                                              text
event_category              eventCategory                                          text
read_only                   readOnly                                               bool
management_event            managementEvent                                        bool
aws_region                  awsRegion                                              text
recipient_account_id        recipientAccountId                                     text
source_ip_address           sourceIPAddress                                        text
user_agent                  userAgent                                              text
error_code                  errorCode                                              text
error_message               errorMessage                                           text
request_id                  requestID                                              text
shared_event_id             sharedEventID                                          text
vpc_endpoint_id             vpcEndpointId                                          text
identity_type               userIdentity.type                                      text
principal_id                userIdentity.principalId                               text
principal_arn               userIdentity.arn                                       text
account_id                  userIdentity.accountId                                 text
access_key_id               userIdentity.accessKeyId                               text
user_name                   userIdentity.userName                                  text
invoked_by                  userIdentity.invokedBy                                 text
identity_provider           userIdentity.identityProvider                          text
on_behalf_of_user_id        userIdentity.onBehalfOf.userId                         text
session_issuer_type         userIdentity.sessionContext.sessionIssuer.type         text
session_issuer_arn          userIdentity.sessionContext.sessionIssuer.arn          text
session_issuer_principal_id userIdentity.sessionContext.sessionIssuer.principalId  text
session_issuer_account_id   userIdentity.sessionContext.sessionIssuer.accountId    text
session_issuer_user_name    userIdentity.sessionContext.sessionIssuer.userName     text
session_created_at          userIdentity.sessionContext.attributes.creationDate    time
mfa_authenticated           userIdentity.sessionContext.attributes.mfaAuthenticated bool
source_identity             userIdentity.sessionContext.sourceIdentity             text
ec2_role_delivery           userIdentity.sessionContext.ec2RoleDelivery            text
assumed_root                userIdentity.sessionContext.assumedRoot                bool
from_console                sessionCredentialFromConsole                           bool
sign_in_session_arn         userIdentity.sessionContext.signInSessionArn           text
request_parameters          requestParameters                                      json
response_elements           responseElements                                       json
additional_event_data       additionalEventData                                    json
service_event_details       serviceEventDetails                                    json
resources                   resources                                              resources
tls_details                 tlsDetails                                             json
""".strip().splitlines()
]
OURS_ALONE = {"session_id", "credential_id", "record_hash", "extra"}


def shape():
    """The record as nested dictionaries, with the kinds as leaves."""
    root = {}
    for _, path, kind in COLUMNS:
        *parents, leaf = path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = kind
    return root


def type_of(node, struct, leaves):
    """The type of a record in the words of an engine."""
    if isinstance(node, str):
        return leaves[node]
    fields = (f'"{name}" {type_of(child, struct, leaves)}' for name, child in node.items())
    return f"{struct}({', '.join(fields)})"


def quoted(text):
    return "'" + str(text).replace("'", "''") + "'"


def duckdb_load(logs, out, threads):
    """Records are parsed once, by the reader itself, into a typed struct. Tried on 200,000 events, with two
    runs of each (processor time, peak memory):

        typed struct in read_json                          2.2 s, 2.4 s   312 MiB   this one
        read_json_objects, then from_json of the document  2.0 s, 2.1 s   404 MiB
        JSON[] in read_json, then from_json of a record    2.2 s, 2.2 s   396 MiB
        JSON[] in read_json, then ->> for each column      9.4 s, 9.9 s   597 MiB

    Of a million events the first two are equal (10.1 s and 10.7 s; 10.1 s and 10.9 s). Keeping the order of
    the files costs a tenth more; row groups of the default size cost 270 MiB more and are no faster."""
    import duckdb

    leaves = {
        "text": "VARCHAR",
        "json": "JSON",
        "time": "TIMESTAMPTZ",
        "bool": "BOOLEAN",
        "resources": 'STRUCT("ARN" VARCHAR, "accountId" VARCHAR, "type" VARCHAR)[]',
    }
    select = []
    for name, path, kind in COLUMNS:
        value = "r." + ".".join(f'"{part}"' for part in path.split("."))
        if kind == "resources":
            value = (
                f"list_transform({value}, "
                "lambda x: {'arn': x.\"ARN\", 'account_id': x.\"accountId\", 'type': x.\"type\"})"
            )
        select.append(f"{value} AS {name}")
    records = type_of(shape(), "STRUCT", leaves) + "[]"
    db = duckdb.connect()
    db.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
    ((rows,),) = db.execute(
        f"""
        COPY (
            SELECT {", ".join(select)}, event_time::DATE AS event_date,
                filename AS source_file, n AS source_record
            FROM (
                SELECT filename, unnest("Records") AS r, generate_subscripts("Records", 1) AS n
                FROM read_json({quoted(logs + "/**/*.json.gz")}, format = 'unstructured',
                    columns = {{Records: {quoted(records)}}}, filename = true)
            )
        ) TO {quoted(out)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 40960)
        """
    ).fetchall()
    return rows


def clickhouse_load(logs, out, threads):
    """Records are parsed once, by the reader itself, into an array of typed tuples; the arrays of the
    members are taken out of it, and only then made rows. Tried on 200,000 events, with two runs of each
    (processor time):

        arrays of members, then ARRAY JOIN                          2.1 s, 2.2 s   this one
        the same, parsed by JSONExtract from the whole document     2.1 s, 2.2 s
        ARRAY JOIN first, then the members (each copies the tuple)  6.9 s, 7.1 s
        JSONExtractArrayRaw, ARRAY JOIN, JSONExtract of a record    7.6 s, 8.0 s

    Row groups of 100,000 rows take 150 MiB less than those of the default size, at the same speed. An
    absent list of resources is an empty one: arrays cannot be null. Text of nested parts stays as it was;
    booleans are read as text because CloudTrail has both true and "true"."""
    from chdb.session import Session

    def resource(arn, account):
        return f"Tuple({arn} Nullable(String), {account} Nullable(String), type Nullable(String))"

    leaves = dict.fromkeys(["text", "json", "time", "bool"], "Nullable(String)")
    leaves["resources"] = f"Array({resource('ARN', 'accountId')})"
    values = {
        "text": "{0}",
        "json": "{0}",
        "time": "parseDateTime64BestEffortOrNull({0}, 6, 'UTC')",
        "bool": "CAST({0} = 'true', 'Nullable(Bool)')",
        "resources": f"arrayMap(r -> CAST((r.1, r.2, r.3), '{resource('arn', 'account_id')}'), {{0}})",
    }
    members, joined, select = [], [], []
    for name, path, kind in COLUMNS:
        member = "Records"
        for part in path.split("."):
            member = f"tupleElement({member}, '{part}')"
        members.append(f"{member} AS _{name}")
        joined.append(f"_{name}")
        select.append(f"{values[kind].format('_' + name)} AS {name}")
    records = f"Records Array({type_of(shape(), 'Tuple', leaves)})"
    session = Session()
    session.query(
        f"""
        INSERT INTO FUNCTION file({quoted(out)}, 'Parquet')
        SELECT {", ".join(select)}, toDate32(event_time) AS event_date,
            file AS source_file, toInt64(n) AS source_record
        FROM (
            SELECT {", ".join(members)}, _path AS file
            FROM file({quoted(logs + "/**/*.json.gz")}, 'JSONEachRow', {quoted(records)})
        )
        ARRAY JOIN {", ".join(joined)}, arrayEnumerate(_event_id) AS n
        SETTINGS max_threads = {threads}, max_insert_threads = {threads},
            input_format_json_read_objects_as_strings = 1,
            input_format_json_read_bools_as_strings = 1,
            input_format_skip_unknown_fields = 1,
            input_format_json_ignore_unknown_keys_in_named_tuple = 1,
            input_format_json_defaults_for_missing_elements_in_named_tuple = 1,
            output_format_parquet_compression_method = 'zstd', output_format_compression_level = 1,
            output_format_parquet_row_group_size = 100000
        """
    )
    return int(session.query(f"SELECT count() FROM file({quoted(out)}, 'Parquet')", "TSV").data())


def columns_of(db, view):
    """Names and types."""
    described = db.execute(f"DESCRIBE {view}").fetchall()
    return {name: kind.replace("JSON", "VARCHAR") for name, kind, *_ in described}


def compare(store, *outs):
    """Ends with the names of the columns that differ from the store's. What roletrail kept must be among
    the rows of each load, file and number included; and no load may have a row that roletrail lacks."""
    import deltalake
    import duckdb

    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    with open(f"{store}/snapshot.json", encoding="utf-8") as file:
        version = json.load(file)["tables"]["events"]
    uris = deltalake.DeltaTable(f"{store}/events", version=version).file_uris()
    ours = [uri.removeprefix("file://") for uri in uris]
    db.execute(f"CREATE VIEW ours AS FROM read_parquet({ours!r}, hive_partitioning = true)")
    types = columns_of(db, "ours")
    for name in OURS_ALONE:
        del types[name]

    kinds = {name: kind for name, _, kind in COLUMNS}

    def values(name):
        """A column as it is compared: what says nothing as NULL, JSON compact and without session tokens."""
        if kinds.get(name) == "text":
            return f"nullif(nullif({name}, ''), 'HIDDEN_DUE_TO_SECURITY_REASONS')"
        if kinds.get(name) == "resources":
            return f"coalesce({name}, [])"
        if kinds.get(name) == "json":
            return f"""regexp_replace(json({name}), ',?"sessionToken":"[^"]*"', '', 'g')"""
        return name

    content = [name for name in sorted(types) if name not in ("source_file", "source_record")]

    def rows(view, names):
        return f"SELECT hash({', '.join(map(values, names))}) FROM {view}"

    def lacking(names, these, those):
        """Rows of these that those lack; a row of ours that is there twice is one too many."""
        minus = "EXCEPT ALL" if these == "ours" else "EXCEPT"
        sql = f"SELECT count(*) FROM ({rows(these, names)} {minus} {rows(those, names)})"
        return db.execute(sql).fetchone()[0]

    for out in outs:
        db.execute(f"CREATE OR REPLACE VIEW theirs AS FROM read_parquet({quoted(out)})")
        name = pathlib.Path(out).name
        theirs = columns_of(db, "theirs")
        if theirs != types:
            sys.exit(f"{name} has other columns: {sorted(theirs.items() ^ types.items())}")
        if lacking(sorted(types), "ours", "theirs") or lacking(content, "theirs", "ours"):
            differ = [
                column
                for column in types
                if lacking(["event_id", column], "ours", "theirs")
                or column in content and lacking(["event_id", column], "theirs", "ours")
            ]
            sys.exit(f"{name} differs from the store in {', '.join(differ)}")
    return len(types)


def main():
    way, *args = sys.argv[1:]
    ways = {"duckdb": duckdb_load, "clickhouse": clickhouse_load, "compare": compare}
    print(ways[way](*args))


main()
