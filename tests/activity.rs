//! The view **activity** joins in several ways, by how much fits a condition. All of them must give the
//! rows of the one that joins everything.

use std::path::Path;

use crate::support;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use roletrail::answers::Window;
use roletrail::answers::activity::{self, ActivityFilter, Columns};
use roletrail::generate::{self, WorldOptions};
use roletrail::intake::{Options, Silent};
use roletrail::pipeline;
use roletrail::sql::{Limits, Params, Source, Sql};
use roletrail::store::Store;

/// Nothing is few: everything is joined.
const NOTHING: Limits = Limits { rows: 0, bytes: 0, ids: 0, held: 0 };
/// Other tables are held and searched.
const HELD: Limits = Limits { held: 1 << 30, ..NOTHING };
/// Few events are; the credentials that fit are never known before.
const EVENTS: Limits = Limits { rows: 100_000, bytes: 1 << 30, ids: 0, held: 0 };
/// As usual.
const USUAL: Limits = Limits { rows: 100_000, bytes: 1 << 30, ids: 100_000, held: 1 << 30 };
/// Credentials may be few, events hardly ever.
const HARDLY: Limits = Limits { rows: 3, bytes: 1 << 30, ids: 40, held: 100_000 };

const ALL: [Limits; 4] = [HELD, EVENTS, USUAL, HARDLY];

fn text(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(cells.join(" | "));
        }
    }
    rows
}

async fn rows(sql: &Sql, statement: &str) -> Vec<String> {
    let rows = sql.rows(statement, Params::none()).await;
    let mut rows = text(&rows.unwrap_or_else(|e| panic!("{statement}: {e}")));
    rows.sort_unstable();
    rows
}

/// Values of a column of the view, spread over all of them.
async fn values(sql: &Sql, column: &str, most: usize) -> Vec<String> {
    let all =
        rows(sql, &format!("SELECT DISTINCT {column} FROM activity WHERE {column} IS NOT NULL"))
            .await;
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
}

/// Conditions of all kinds: on events, on credentials, on both, true where there is no credential.
async fn conditions(sql: &Sql) -> Vec<String> {
    let mut all: Vec<String> = [
        "true",
        "origin IS NULL",
        "origin_type IS DISTINCT FROM 'AWSService'",
        "(origin_type IS DISTINCT FROM 'AWSService') AND role_name IS NOT NULL",
        "coalesce(role_name, event_name) LIKE 'A%'",
        "origin = principal_arn",
        "origin = principal_arn AND read_only = false",
        "event_name = 'AssumeRole' OR role_name IS NULL",
        "event_name = 'AssumeRole' AND (role_name IS NULL OR depth > 1)",
        "depth > 1 AND event_name LIKE '%Role%'",
        "array_length(chain) > 2",
        "session_id IN (SELECT session_id FROM sessions WHERE event_count < 4)",
        "event_id IN (SELECT event_id FROM attributions)",
        "event_id NOT IN (SELECT event_id FROM attributions WHERE event_id IS NOT NULL)",
        "session_id = (SELECT min(session_id) FROM sessions)",
        "event_id = 'there is none'",
        "session_id = 'there is none'",
        "false",
    ]
    .map(str::to_owned)
    .into();
    for column in
        ["event_id", "access_key_id", "session_id", "role_name", "origin", "source_ip_address"]
    {
        for value in values(sql, column, 4).await {
            let value = value.replace('\'', "''");
            all.push(format!("{column} = '{value}'"));
        }
    }
    for value in values(sql, "role_name", 2).await {
        for day in values(sql, "event_date", 2).await {
            all.push(format!("role_name = '{value}' AND event_date = DATE '{day}'"));
        }
    }
    let times = values(sql, "event_time", 5).await;
    for (from, to) in times.iter().zip(&times[1..]) {
        let then = format!("event_time >= '{from}' AND event_time < '{to}'");
        all.push(format!("depth >= 1 AND {then}"));
        all.push(format!("depth = 0 AND {then}"));
        all.push(format!("origin IS NOT NULL AND event_time = '{from}'"));
        all.push(format!("event_time BETWEEN '{from}' AND '{to}' AND error_code IS NOT NULL"));
    }
    all
}

/// Statements over the view that are more than one condition.
const STATEMENTS: &[&str] = &[
    "SELECT count(*) FROM activity",
    "SELECT count(*), count(origin), count(DISTINCT session_id) FROM activity WHERE NOT read_only",
    "SELECT origin_type, count(*) FROM activity GROUP BY origin_type",
    "SELECT event_time, event_id, origin FROM activity ORDER BY event_time DESC, event_id LIMIT 7",
    "SELECT event_time, event_id, origin FROM activity WHERE role_name IS NOT NULL
     ORDER BY event_time, event_id LIMIT 7 OFFSET 2",
    "SELECT event_time AS t, event_id AS i, chain FROM activity WHERE read_only = false
     ORDER BY t DESC, i DESC LIMIT 20",
    "SELECT origin, n FROM (SELECT error_code AS n, event_id AS i, origin FROM activity)
     ORDER BY n DESC NULLS LAST, i LIMIT 9",
    "SELECT error_code, event_id, depth FROM activity ORDER BY error_code NULLS FIRST, event_id
     LIMIT 9 OFFSET 4",
    "SELECT event_id, origin FROM activity WHERE depth > 0 ORDER BY event_time, event_id LIMIT 6",
    "SELECT event_time, event_id, origin FROM activity WHERE depth > 0
     ORDER BY event_time DESC, event_id LIMIT 6",
    "SELECT event_time, event_id, role_name, chain FROM activity WHERE depth > 1 AND read_only
     ORDER BY event_time, event_id LIMIT 40",
    "SELECT event_time, event_id, access_key_id FROM activity WHERE origin_type = 'IAMUser'
     ORDER BY event_time DESC, event_id LIMIT 3000",
    "SELECT event_id, origin FROM activity ORDER BY origin, event_time, event_id LIMIT 6",
    "SELECT event_id FROM activity ORDER BY event_time + INTERVAL '1 day' DESC, event_id LIMIT 6",
    "SELECT count(*) FROM (SELECT origin FROM activity ORDER BY event_time LIMIT 11)",
    "SELECT a.event_id, a.origin, b.origin
     FROM (SELECT * FROM activity ORDER BY event_time, event_id LIMIT 8) a
     LEFT JOIN (SELECT * FROM activity ORDER BY event_time, event_id LIMIT 4) b USING (event_id)",
    "SELECT count(*) FROM (SELECT * FROM activity LIMIT 5)",
    "SELECT count(*) FROM (SELECT * FROM activity WHERE depth = 1 LIMIT 5)",
    "SELECT a.event_id, s.origin, a.origin FROM activity a JOIN sessions s USING (session_id)
     WHERE s.depth = 2",
    "SELECT a.event_id, b.event_id FROM activity a JOIN activity b
     ON a.session_id = b.session_id AND a.event_id < b.event_id WHERE a.event_name = 'AssumeRole'",
    "SELECT s.session_id, a.event_id FROM sessions s LEFT JOIN activity a
     ON a.session_id = s.session_id AND a.error_code IS NOT NULL",
    "SELECT event_name, origin FROM activity WHERE depth = 0
     UNION ALL SELECT event_name, role_name FROM activity WHERE depth = 1",
    "SELECT event_id, row_number() OVER (PARTITION BY origin ORDER BY event_time, event_id)
     FROM activity WHERE event_source = 'sts.amazonaws.com'",
    "SELECT DISTINCT resources[1]['arn'], request_parameters FROM activity WHERE depth >= 1",
];

async fn compare(all: &[Limits], open: impl AsyncFn(Limits) -> Sql) {
    let whole = open(NOTHING).await;
    let mut statements: Vec<String> = STATEMENTS.iter().map(|s| (*s).to_owned()).collect();
    for (i, condition) in conditions(&whole).await.into_iter().enumerate() {
        let columns = ["*", "event_id, origin, session_id"][i % 2];
        statements.push(format!("SELECT {columns} FROM activity WHERE {condition}"));
    }
    let events = rows(&whole, "SELECT event_id FROM events").await;
    assert_eq!(
        events,
        rows(&whole, "SELECT event_id FROM activity WHERE depth IS NULL OR true").await
    );
    let mut expected = Vec::new();
    for statement in &statements {
        expected.push(rows(&whole, statement).await);
    }
    for limits in all {
        let sql = open(*limits).await;
        let on_disk = sql.on_disk().unwrap();
        for (i, (statement, expected)) in statements.iter().zip(&expected).enumerate() {
            let found = rows(&sql, statement).await;
            assert!(found == *expected, "{limits:?} {statement}\n{found:#?}\n{expected:#?}");
            if i % 9 == 0 {
                assert_eq!(rows(&on_disk, statement).await, *expected, "{statement}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_ways_to_join_give_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let options = WorldOptions { events: 6000, accounts: 4, days: 2, seed: 11, losses: true };
    generate::world(&options, dir.path()).unwrap();
    for logs in [Path::new("sample-logs"), &dir.path().join("AWSLogs")] {
        let tables = support::load(&[logs]).tables;
        compare(&ALL, async |limits| {
            Sql::open_with(Source::Memory(tables.clone()), 512 << 20, limits).await.unwrap()
        })
        .await;
    }
}

/// Files of other times are not opened: what is in them must not be missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_many_stretches_answers_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let options = WorldOptions { events: 2000, accounts: 3, days: 2, seed: 12, losses: true };
    generate::world(&options, dir.path()).unwrap();
    let (store, logs) = (dir.path().join("store"), dir.path().join("AWSLogs"));
    let options = Options { most_facts: 100, ..Options::default() };
    let logs = [logs.display().to_string(), "sample-logs".to_owned()];
    pipeline::ingest(&store, &logs, &options, &Silent).await.unwrap();
    let store = Store::open(&store).await.unwrap();
    assert!(store.snapshot().files["linking_state"] > 10);
    assert!(store.snapshot().files["credentials"] > 2);
    compare(&[USUAL], async |limits| {
        Sql::open_with(Source::Store(store.clone()), 512 << 20, limits).await.unwrap()
    })
    .await;
    // What the leaving out rests on.
    let sql = Sql::open(Source::Store(store), 512 << 20).await.unwrap();
    let outside = "e.event_time < c.first_event_at OR e.event_time > c.last_event_at
        OR c.first_event_at IS NULL";
    let own = format!(
        "SELECT e.event_id FROM events e JOIN credentials c USING (credential_id) WHERE {outside}"
    );
    let shared = format!(
        "SELECT e.event_id FROM attributions a JOIN events e USING (event_id, record_hash)
         JOIN credentials c ON c.credential_id = a.credential_id
         WHERE (a.rule = 'shared_event' AND ({outside})) OR a.event_time <> e.event_time"
    );
    for statement in [own, shared] {
        assert_eq!(rows(&sql, &statement).await, Vec::<String>::new());
    }
    let attributed = "SELECT rule FROM attributions GROUP BY rule";
    assert!(
        rows(&sql, attributed).await.len() > 1,
        "what is attributed otherwise is there as well"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_answers_the_same_and_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let logs = ["sample-logs/two-hats".to_owned(), "sample-logs/three-accounts".to_owned()];
    pipeline::ingest(&store, &logs, &Options::default(), &Silent).await.unwrap();
    let open = async |limits| {
        let store = Store::open(&store).await.unwrap();
        Sql::open_with(Source::Store(store), 512 << 20, limits).await.unwrap()
    };
    compare(&ALL, open).await;
    let says = async |limits, condition: &str, metric: &str| {
        let statement = format!("EXPLAIN ANALYZE SELECT * FROM activity WHERE {condition}");
        rows(&open(limits).await, &statement).await.join("").contains(metric)
    };
    let few = async |limits, condition: &str| says(limits, condition, "few_events=").await;
    let whole = open(NOTHING).await;
    let session = &values(&whole, "session_id", 1).await[0];
    let key = &values(&whole, "access_key_id", 1).await[0];
    let by_session = format!("session_id = '{session}'");
    let by_key = format!("access_key_id = '{key}'");
    assert!(few(USUAL, &by_session).await && few(USUAL, &by_key).await);
    assert!(!few(EVENTS, &by_session).await && few(EVENTS, &by_key).await);
    assert!(!few(NOTHING, &by_session).await && !few(NOTHING, &by_key).await);
    assert!(!few(USUAL, "true").await);
    assert!(few(USUAL, "true ORDER BY event_time DESC LIMIT 3").await);
    assert!(few(USUAL, "NOT read_only ORDER BY event_time DESC, event_id LIMIT 3").await);
    assert!(!few(USUAL, "true ORDER BY origin, event_time LIMIT 3").await);
    assert!(!few(EVENTS, "depth < 9 ORDER BY event_time LIMIT 3").await);
    assert!(few(USUAL, "depth < 9 ORDER BY event_time LIMIT 3").await);
    assert!(says(HELD, "true", "searched_tables=2").await);
    assert!(says(HELD, &by_session, "searched_tables=2").await);
    assert!(!says(NOTHING, "true", "searched_tables").await);
}

/// Asked for in steps, and in a window, it is what one condition finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_touched_a_resource_is_found_wherever_a_record_names_it() {
    let tables = support::load(&[Path::new("sample-logs")]).tables;
    let sql = Sql::open(Source::Memory(tables), 512 << 20).await.unwrap();
    let arns =
        "SELECT DISTINCT resource['arn'] FROM (SELECT unnest(resources) AS resource FROM events)";
    let roles = "SELECT DISTINCT role_arn FROM grants WHERE role_arn IS NOT NULL";
    let mut wanted: Vec<String> = Vec::new();
    for statement in [arns, roles] {
        let all = rows(&sql, statement).await;
        let few = all.iter().filter(|arn| *arn != "NULL").step_by(all.len().div_ceil(12));
        wanted.extend(few.flat_map(|arn| {
            let name = arn.rsplit([':', '/']).next().unwrap_or_default();
            [arn.clone(), name.to_owned(), format!("{}*", &arn[..arn.len() / 2])]
        }));
    }
    wanted.extend(["*", "none of them", "100%", "it's", "svc-payments"].map(str::to_owned));
    let noon = "TIMESTAMP '2024-05-01T09:14:00Z'";
    let until = 1_714_554_840_000_000;
    let mut found = 0;
    for resource in wanted {
        let like = |text: &str| {
            text.replace('%', "\\%").replace('_', "\\_").replace('\'', "''").replace('*', "%")
        };
        let (part, arn) = (like(&resource), like(&resource));
        let arn = if resource.starts_with("arn:") || resource.contains('*') {
            arn
        } else {
            format!("%{arn}%")
        };
        for window in [Window::default(), Window { since: None, until: Some(until) }] {
            let then = if window.until.is_some() {
                format!("event_time < {noon}")
            } else {
                "true".to_owned()
            };
            let statement = format!(
                "SELECT event_id FROM activity WHERE {then} AND (request_parameters LIKE '%{part}%'
                 OR event_id IN (SELECT event_id FROM (SELECT event_id, unnest(resources) AS r FROM events)
                                 WHERE r['arn'] LIKE '{arn}')
                 OR event_id IN (SELECT event_id FROM grants WHERE role_arn LIKE '{arn}'))"
            );
            let expected = rows(&sql, &statement).await;
            let filter = ActivityFilter {
                resource: Some(resource.clone()),
                window,
                ..ActivityFilter::default()
            };
            for columns in [Columns::All, Columns::ForPeople] {
                let listed = activity::list(&sql, &filter, columns, None).await.unwrap();
                let listed: Vec<RecordBatch> = listed.try_collect().await.unwrap();
                let ids = listed.iter().map(|batch| {
                    batch.project(&[batch.schema().index_of("event_id").unwrap()]).unwrap()
                });
                let mut ids = text(&ids.collect::<Vec<_>>());
                ids.sort_unstable();
                assert_eq!(ids, expected, "{resource} {window:?}");
            }
            found += usize::from(!expected.is_empty());
        }
    }
    assert!(found > 40, "{found}");
}

/// Of two records with one id only that is shown which names what is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_touches_what_it_names_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut records = support::records(Path::new("sample-logs/two-hats"));
    records.retain(|record| record["eventName"] == "PutBucketPolicy");
    records.truncate(1);
    records[0]["resources"] = serde_json::json!([{"ARN": "arn:aws:s3:::first-bucket"}]);
    records[0]["requestParameters"] = serde_json::json!({"bucketName": "first-bucket"});
    let mut other = records[0].clone();
    other["resources"] = serde_json::json!([{"ARN": "arn:aws:s3:::second-bucket"}]);
    other["requestParameters"] = serde_json::json!({"bucketName": "second-bucket"});
    records.push(other);
    support::write_log(&dir.path().join("log.json.gz"), &records);
    let sql = Sql::open(Source::Memory(support::load(&[dir.path()]).tables), 512 << 20).await;
    let sql = sql.unwrap();
    for (resource, expected) in
        [("first-bucket", 1), ("arn:aws:s3:::second*", 1), ("*-bucket", 2), ("third-bucket", 0)]
    {
        let resource = Some(resource.to_owned());
        let filter = ActivityFilter { resource, ..ActivityFilter::default() };
        let listed = activity::list(&sql, &filter, Columns::ForPeople, None).await.unwrap();
        let listed: Vec<RecordBatch> = listed.try_collect().await.unwrap();
        let found: usize = listed.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found, expected, "{:?}", filter.resource);
    }
}
