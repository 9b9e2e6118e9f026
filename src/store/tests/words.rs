//! Files whose dictionaries say that they have no row that is wanted are not opened. The columns here have no
//! statistics, which would tell it too.

use std::path::{Path, PathBuf};

use super::*;

async fn number(store: &Store, statement: &str) -> i64 {
    let found = sql(store, statement).await;
    found.column(0).as_primitive::<Int64Type>().value(0)
}

/// The files that are read, and the rows that are found, which must be those that fulfil the condition.
async fn asked(store: &Store, condition: &str) -> (usize, i64) {
    let statement = format!("select count(*) from events where {condition}");
    let found = number(store, &statement).await;
    let all = format!("select sum(case when {condition} then 1 else 0 end) from events");
    assert_eq!(found, number(store, &all).await, "{condition}");
    let plan = format!("select event_id from events where {condition}");
    (files_in(&analyzed(store, &plan).await).len(), found)
}

#[tokio::test]
async fn dictionaries_tell_which_files_have_a_word() {
    let dir = small_store().await;
    let store = Store::open(dir.path()).await.unwrap();
    let (mut there, mut none) = (Vec::new(), 0);
    // Every third value is missing: of three names that follow each other two are there.
    for number in 50..53 {
        let name = format!("user_agent-{number:08}");
        let (files, rows) = asked(&store, &format!("user_agent = '{name}'")).await;
        assert_eq!((files as i64, rows), (rows, rows), "{name}");
        none += usize::from(rows == 0);
        there.extend((rows == 2).then(|| name.clone()));
        let part = name[..name.len() - 1].to_uppercase();
        let (files, rows) = asked(&store, &format!("user_agent ilike '{part}_'")).await;
        assert!(files == 2 && (12..=14).contains(&rows), "{files} {rows}");
        let both = format!("user_agent = '{name}' and aws_region is not null");
        assert!(asked(&store, &both).await.0 <= 2);
    }
    assert_eq!((there.len(), none), (2, 1));
    let there = &there[0];
    for (condition, files) in [
        ("user_agent = 'none of them'".to_owned(), 0),
        (format!("user_agent in ('x', '{there}', 'y')"), 2),
        (format!("upper(user_agent) = upper('{there}') and event_date = date '2024-05-02'"), 1),
        (format!("user_agent = '{there}' and source_ip_address = 'nobody'"), 0),
        (format!("user_agent = '{there}' or source_ip_address = 'nobody'"), 4),
        (format!("user_agent <> '{there}'"), 4),
        (format!("not (user_agent = '{there}')"), 4),
        (format!("user_agent is distinct from '{there}'"), 4),
        ("user_agent is null".to_owned(), 4),
        ("coalesce(user_agent, 'nothing') = 'nothing'".to_owned(), 4),
        (format!("coalesce(user_agent = '{there}', false)"), 2),
        ("user_agent = null".to_owned(), 0),
    ] {
        assert_eq!(asked(&store, &condition).await.0, files, "{condition}");
    }
}

#[tokio::test]
async fn what_no_dictionary_lists_is_found_as_well() {
    let dir = tempdir().unwrap();
    let mut tx = Transaction::begin(dir.path()).await.unwrap();
    for day in 0..4 {
        add_rows(&mut tx, &EVENTS, 0, 10, day);
    }
    // More than a dictionary may take: most of these names stand in the pages themselves.
    add_rows(&mut tx, &EVENTS, 0, 70_000, 0);
    tx.commit().await.unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let last = (69_990..70_000).map(|number| format!("'user_agent-{number:08}'"));
    let last = format!("user_agent in ({})", last.collect::<Vec<_>>().join(", "));
    let (files, rows) = asked(&store, &last).await;
    assert!(files == 1 && (6..=7).contains(&rows), "{files} {rows}");
    assert_eq!(asked(&store, "user_agent = 'none of them'").await, (1, 0));
}

/// A file of events, its bytes, and where in it the dictionary of the user agents begins.
fn with_dictionary(store: &Path) -> (PathBuf, Vec<u8>, usize) {
    let one = walkdir::WalkDir::new(store.join("events"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .find(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .unwrap();
    let metadata = SerializedFileReader::new(std::fs::File::open(&one).unwrap()).unwrap();
    let group = metadata.metadata().row_group(0);
    let name = group.columns().iter().find(|c| c.column_path().string() == "user_agent").unwrap();
    let from = usize::try_from(name.dictionary_page_offset().unwrap()).unwrap();
    let bytes = std::fs::read(&one).unwrap();
    (one, bytes, from)
}

#[tokio::test]
async fn a_damaged_dictionary_is_told_by_whoever_reads_the_file() {
    let dir = small_store().await;
    let store = Store::open(dir.path()).await.unwrap();
    let (one, mut bytes, from) = with_dictionary(dir.path());
    bytes[from..from + 40].fill(0xff);
    std::fs::write(&one, bytes).unwrap();
    let ctx = session(&store).await;
    let frame = ctx.sql("select event_id from events where user_agent = 'none of them'").await;
    let error = frame.unwrap().collect().await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("parquet"), "{error}");
}

#[tokio::test]
async fn a_value_that_a_dictionary_does_not_count_is_not_missed() {
    let dir = small_store().await;
    let store = Store::open(dir.path()).await.unwrap();
    let (one, mut bytes, from) = with_dictionary(dir.path());
    let listed = "select distinct user_agent as name from events where user_agent is not null";
    let names = cast(sql(&store, listed).await.column(0), &DataType::Utf8).unwrap();
    let names: Vec<&str> = names.as_string::<i32>().iter().flatten().collect();
    let mut before = Vec::new();
    for name in &names {
        let one = format!("select count(*) from events where user_agent = '{name}'");
        before.push(number(&store, &one).await);
    }
    // Thrift's compact protocol: the fourth field after the sizes is the dictionary's header, and the
    // number of its values the first field of that.
    let header = bytes[from..].windows(2).position(|two| two == [0x4c, 0x15]).unwrap() + from + 2;
    assert!(bytes[header] & 0x7f >= 2, "a number from which one can be taken in its last byte");
    bytes[header] -= 2;
    std::fs::write(&one, bytes).unwrap();
    let mut refused = 0;
    for (name, before) in names.iter().zip(before) {
        let ctx = session(&store).await;
        let asked = format!("select count(*) from events where user_agent = '{name}'");
        match ctx.sql(&asked).await.unwrap().collect().await {
            Ok(found) => {
                let found = found[0].column(0).as_primitive::<Int64Type>().value(0);
                assert_eq!(found, before, "{name}");
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "the last value is not read");
}
