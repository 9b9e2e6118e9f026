//! Parts that share a file.

use std::fs;
use std::path::Path;

use super::*;
use crate::sessions::columns::CREDENTIALS;

const ROWS: i64 = 300;

/// Parts with rows of their own, each numbered from here on.
fn encoded(tx: &Transaction, parts: &[(&str, i64)]) -> Vec<EncodedPart> {
    let encode = |(name, start): &(&str, i64)| {
        let batch = sample(&CREDENTIALS, *start, ROWS, MAY_FIRST);
        let rows = batch.num_rows();
        tx.encode_part(&CREDENTIALS, name, rows, std::iter::once(Ok(batch))).unwrap()
    };
    parts.iter().map(encode).collect()
}

/// Replaces some parts by others.
async fn replace(dir: &Path, gone: &[&str], parts: &[(&str, i64)]) -> Result<Snapshot> {
    let mut tx = Transaction::begin(dir).await?;
    let files = match parts {
        [] => Vec::new(),
        _ => vec![tx.write_parts(&CREDENTIALS, &encoded(&tx, parts))?],
    };
    tx.replace_parts(&CREDENTIALS, gone.iter().map(|name| (*name).to_owned()).collect(), files)?;
    tx.commit().await
}

/// Numbers of the rows that there are, as first numbers of parts.
async fn starts(store: &Store) -> Vec<i64> {
    let statement = "SELECT cast(substr(credential_id, 15) AS bigint) AS n FROM credentials";
    let statement = format!(
        "SELECT n / {ROWS} * {ROWS} AS start FROM ({statement}) GROUP BY 1 \
         HAVING count(*) = {ROWS} ORDER BY 1"
    );
    let batch = sql(store, &statement).await;
    let starts = batch.column(0).as_primitive::<Int64Type>();
    let all = count(store, "credentials").await;
    assert_eq!(all, ROWS * i64::try_from(starts.len()).unwrap(), "a part is not whole");
    starts.values().to_vec()
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for folder in fs::read_dir(dir.join("credentials")).unwrap() {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        if folder.starts_with("from-") {
            found.push(folder);
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_part_is_replaced_and_those_in_the_same_file_stay() {
    let dir = tempdir().unwrap();
    let dir = dir.path();
    let all = [("from-1", 0), ("from-2", 300), ("from-3", 600), ("from-3", 900)];
    let first = replace(dir, &["from-1", "from-2", "from-3"], &all).await.unwrap();
    assert_eq!(files(dir), ["from-1_from-2_from-3"]);
    let store = Store::open(dir).await.unwrap();
    assert_eq!(starts(&store).await, [0, 300, 600, 900]);

    replace(dir, &["from-2"], &[("from-2", 1200), ("from-25", 1500)]).await.unwrap();
    let store = Store::open(dir).await.unwrap();
    assert_eq!(starts(&store).await, [0, 600, 900, 1200, 1500]);
    assert_eq!(store.snapshot().files["credentials"], 2);
    assert_eq!(files(dir), ["from-1_from-2_from-3", "from-1_from-3", "from-2_from-25"]);

    replace(dir, &["from-1", "from-25", "from-4"], &[]).await.unwrap();
    let store = Store::open(dir).await.unwrap();
    assert_eq!(starts(&store).await, [600, 900, 1200]);
    replace(dir, &["from-2", "from-3"], &[]).await.unwrap();
    assert_eq!(count(&Store::open(dir).await.unwrap(), "credentials").await, 0);
    let then = Store::open_as_of(dir, first.id).await.unwrap();
    assert_eq!(starts(&then).await, [0, 300, 600, 900]);
}

#[tokio::test]
async fn copied_rows_keep_what_readers_skip_by() {
    let dir = tempdir().unwrap();
    let dir = dir.path();
    replace(dir, &["from-1"], &[("from-1", 0), ("from-2", 300), ("from-3", 600)]).await.unwrap();
    replace(dir, &["from-2"], &[]).await.unwrap();
    let tx = Transaction::begin(dir).await.unwrap();
    let path = &tx.files(&CREDENTIALS).unwrap()[0];
    let file = fs::File::open(path).unwrap();
    let options = parquet::file::serialized_reader::ReadOptionsBuilder::new().with_page_index();
    let reader = SerializedFileReader::new_with_options(file, options.build()).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.num_row_groups(), 2);
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let filtered: Vec<String> = group
            .columns()
            .iter()
            .filter(|column| column.bloom_filter_offset().is_some())
            .map(|column| column.column_path().string())
            .collect();
        assert_eq!(filtered, CREDENTIALS.lookup);
        assert!(group.sorting_columns().is_none(), "the groups one after the other have no order");
        let bounds = group.column(0).statistics().unwrap();
        let first = format!("credential_id-{:08}", number * 600);
        assert_eq!(bounds.min_bytes_opt(), Some(first.as_bytes()));
        // Where pages lie is told of this file, not of the one that they were copied from.
        let pages = &metadata.offset_index().unwrap()[number][0].page_locations;
        let (begin, bytes) = group.column(0).byte_range();
        let offset = u64::try_from(pages[0].offset).unwrap();
        assert!((begin..begin + bytes).contains(&offset));
    }
    let store = Store::open(dir).await.unwrap();
    let one = "SELECT count(*) FROM credentials WHERE credential_id = 'credential_id-00000601'";
    let found = sql(&store, one).await;
    assert_eq!(found.column(0).as_primitive::<Int64Type>().value(0), 1);
}

#[tokio::test]
async fn a_file_that_does_not_tell_its_parts_apart_is_damaged() {
    let dir = tempdir().unwrap();
    let dir = dir.path();
    replace(dir, &["from-1"], &[("from-1", 0), ("from-2", 300)]).await.unwrap();
    let tx = Transaction::begin(dir).await.unwrap();
    let path = tx.files(&CREDENTIALS).unwrap().remove(0);
    drop(tx);
    let key = b"roletrail.groups_of_parts";
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[place] = b'X';
    fs::write(&path, bytes).unwrap();
    let error = replace(dir, &["from-2"], &[]).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { path: at, .. } if *at == path), "{error}");
    // Nor is one that cannot be copied whole.
    let mut bytes = fs::read(&path).unwrap();
    bytes[place] = b'r';
    let metadata = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let filter = metadata.metadata().row_group(0).column(0).bloom_filter_offset().unwrap();
    let filter = usize::try_from(filter).unwrap();
    bytes[filter..filter + 4].fill(0xff);
    fs::write(&path, bytes).unwrap();
    let error = replace(dir, &["from-2"], &[]).await.unwrap_err();
    assert!(matches!(&error, Error::Damaged { path: at, .. } if *at == path), "{error}");
    // All of it can still be replaced.
    replace(dir, &["from-1", "from-2"], &[("from-1", 600)]).await.unwrap();
    assert_eq!(starts(&Store::open(dir).await.unwrap()).await, [600]);
}
