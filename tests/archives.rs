//! Logs as a case hands them over: archives, several compressions, standard input; and what somebody
//! hostile makes of them.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::wraps::{self, Case, gz, record, records, rejects, tar, zip, zst};
use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};
use serde_json::json;

fn log(n: u32) -> Vec<u8> {
    records(&[record(n)])
}

/// Loads one file beside a good one, whose record is not counted.
fn beside_good(name: &str, bytes: &[u8]) -> (u64, u64, Vec<String>) {
    let case = Case::new();
    case.file("good.json", &log(999));
    case.file(name, bytes);
    let loaded = case.load();
    (loaded.books.kept - 1, loaded.books.rejected, rejects(&loaded))
}

/// `path: records = kept + duplicates + rejected, status` of every book.
fn books(loaded: &Loaded) -> Vec<String> {
    use arrow::array::{Int64Array, StringArray};
    let mut lines = Vec::new();
    for batch in &loaded.tables["files"] {
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_any();
            match column.downcast_ref::<StringArray>() {
                Some(column) => column.value(row).to_owned(),
                None => column.downcast_ref::<Int64Array>().unwrap().value(row).to_string(),
            }
        };
        for row in 0..batch.num_rows() {
            let [path, found, kept, twice, bad, status] =
                ["path", "records", "kept", "duplicates", "rejected", "status"]
                    .map(|c| text(c, row));
            let name = path.rsplit("/case/").next().unwrap();
            lines.push(format!("{name}: {found} = {kept} + {twice} + {bad}, {status}"));
        }
    }
    lines
}

#[test]
fn every_file_in_an_archive_has_a_book_of_its_own() {
    let at = "AWSLogs/111111111111/CloudTrail/eu-west-1/2024/05/01/a.json.gz";
    let inner = gz(&tar(&[("x/b.jsonl", log(2)), ("x/c.json", b"broken".to_vec())]));
    let whole = zip(&[
        (at, gz(&log(1))),
        ("AWSLogs/111111111111/CloudTrail-Digest/eu-west-1/d.json.gz", gz(b"{}")),
        ("notes/README.md", b"# case 7".to_vec()),
        ("more/inner.tgz", inner),
        ("again.json", records(&[record(1), record(3)])),
    ]);
    let case = Case::new();
    case.file("case/case.zip", &whole);
    let loaded = case.load();
    assert_eq!(
        books(&loaded),
        [
            "case.zip: 0 = 0 + 0 + 0, archive",
            "case.zip!AWSLogs/111111111111/CloudTrail-Digest/eu-west-1/d.json.gz: 0 = 0 + 0 + 0, \
             skipped: digest",
            &format!("case.zip!{at}: 1 = 1 + 0 + 0, complete"),
            "case.zip!again.json: 2 = 1 + 1 + 0, complete",
            "case.zip!more/inner.tgz: 0 = 0 + 0 + 0, archive",
            "case.zip!more/inner.tgz!x/b.jsonl: 1 = 1 + 0 + 0, complete",
            "case.zip!more/inner.tgz!x/c.json: 1 = 0 + 0 + 1, unreadable",
            "case.zip!notes/README.md: 0 = 0 + 0 + 0, skipped: not a log",
        ]
    );
    let summed = &loaded.books;
    assert_eq!((summed.files, summed.archives, summed.unreadable), (4, 2, 1));
}

#[test]
fn an_archive_that_is_in_is_not_read_again() {
    let (case, store) = (Case::new(), tempfile::tempdir().unwrap());
    case.file("case.tgz", &gz(&tar(&[("a.json", log(1)), ("b.json", log(2))])));
    let source = case.path().to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let ingest = || {
        let options = Options::default();
        let dir = store.path().join("store");
        let done = pipeline::ingest(&dir, std::slice::from_ref(&source), &options, &Silent);
        runtime.block_on(done).unwrap().books
    };
    let first = ingest();
    assert_eq!((first.kept, first.files, first.archives), (2, 2, 1));
    let again = ingest();
    assert_eq!((again.already_in, again.files, again.records), (1, 0, 0));
}

#[test]
fn damaged_archives_give_what_they_hold_and_say_what_is_wrong() {
    let noise: String =
        (0..4000u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
    let large = |n| {
        let mut large = record(n);
        large["requestParameters"] = json!({ "x": noise });
        records(&[large])
    };
    let files = [("a.json", large(1)), ("b.json", large(2)), ("c.json", large(3))];
    let (zipped, tarred) = (zip(&files), tar(&files));
    let cut = |bytes: &[u8], part: usize| bytes[..bytes.len() * part / 10].to_vec();
    let mut wrong_sum = zipped.clone();
    // CRC-32 of the first file, in its directory entry and in the header before it.
    let entry = memchr::memmem::find(&wrong_sum, b"PK\x01\x02").unwrap();
    wrong_sum[entry + 16] ^= 1;
    wrong_sum[14] ^= 1;
    let twice = memchr::memmem::find_iter(&zipped, b"b.json").collect::<Vec<_>>();
    let mut same_name = zipped.clone();
    twice.iter().for_each(|at| same_name[*at] = b'a');
    let mut locked = zipped.clone();
    locked[6] |= 1;
    locked[entry + 8] |= 1;
    for (name, bytes, kept, rejected, reason) in [
        ("zip cut", cut(&zipped, 8), 2, 3, "the directory at its end is missing"),
        ("tar cut", cut(&tarred, 5), 1, 2, "tar: truncated, the archive ends inside"),
        (
            "tar cut between files",
            tarred[..tarred.len() - 1024].to_vec(),
            3,
            1,
            "the blocks that end an archive are missing",
        ),
        ("tar.gz cut", cut(&gz(&tarred), 9), 2, 2, "truncated"),
        // All of it lies in one block.
        ("tar.zst cut", cut(&zst(&tarred), 9), 0, 1, "truncated"),
        ("zip, wrong sum", wrong_sum, 3, 1, "Invalid checksum"),
        ("zip, one name twice", same_name, 2, 1, "same name"),
        ("zip, locked", locked, 2, 1, "without password"),
        ("zip, two joined", [zipped.clone(), zipped.clone()].concat(), 3, 0, ""),
        ("tar, two joined", [tarred.clone(), tar(&[("d.json", log(4))])].concat(), 4, 0, ""),
        ("tar and junk", [tarred.clone(), vec![7; 600]].concat(), 3, 1, "a header is damaged"),
    ] {
        let (got, bad, said) = beside_good("case.bin.gz", &bytes);
        assert_eq!((got, bad), (kept, rejected), "{name}: {said:?}");
        assert!(said.iter().any(|r| r.contains(reason)) || reason.is_empty(), "{name}: {said:?}");
    }
}

#[test]
fn damage_between_members_of_gzip_hides_nothing_behind_it() {
    let parts = [gz(&log(1)), gz(&log(2)), gz(&log(3))];
    let mut corrupt = parts[1].clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 8].fill(0xff);
    let mut sum = parts[1].clone();
    let end = sum.len() - 8;
    sum[end] ^= 1;
    for (name, middle, kept, rejected) in [
        ("garbage", b"garbage".to_vec(), 2, 1),
        ("zeros", vec![0; 5000], 2, 1),
        ("long garbage", vec![0x1f; 300_000], 2, 1),
        ("magic in garbage", b"\x1f\x8b\x08\x1f\x8b\x08xx\x1f\x8b".to_vec(), 2, 1),
        ("wrong sum", sum, 3, 1),
        ("corrupt", corrupt, 2, 1),
        ("cut", parts[1][..40].to_vec(), 2, 1),
    ] {
        let whole = [parts[0].clone(), middle, parts[2].clone()].concat();
        let (got, bad, said) = beside_good("a.json.gz", &whole);
        assert_eq!(got, kept, "{name}: {said:?}");
        assert!(bad >= rejected && bad <= 2, "{name}: {said:?}");
    }
}

#[test]
fn bombs_and_tricks_cost_little_and_touch_nothing() {
    let zeros = |mib: usize| [b"{\"Records\":[".to_vec(), vec![b' '; mib << 20]].concat();
    let nested = (0..6).fold(log(1), |inner, _| zip(&[("x.zip", inner)]));
    let deep = (0..8).fold(log(1), |inner, _| gz(&inner));
    let mut name = tar::Header::new_gnu();
    name.set_entry_type(tar::EntryType::GNULongName);
    name.set_size(256 << 20);
    name.set_cksum();
    let long_name = gz(&[name.as_bytes().to_vec(), vec![b'x'; 256 << 20]].concat());
    let outside = "../../../../../../../../tmp/roletrail-must-not-be-written.json";
    let tricks = zip(&[(outside, log(1)), ("/etc/x.json", log(2)), ("a\0b\u{1b}[2J.json", log(3))]);
    let bomb = zip(&[("a.json", zeros(40)), ("b.json", log(1)), ("c.json", zeros(40))]);
    for (name, bytes, kept, reason) in [
        ("zip bomb", bomb, 1, "more than the allowed 33554432 bytes"),
        (
            "tar bomb",
            gz(&tar(&[("a.json", zeros(40)), ("b.json", log(1))])),
            0,
            "more than the allowed",
        ),
        ("zip in zip in zip", nested, 0, "an archive inside of 3 archives"),
        ("gzip in gzip", deep, 0, "not JSON"),
        ("long name", long_name, 0, "more than the allowed"),
        ("names", tricks, 3, ""),
        ("zip of nothing", zip(&[]), 0, ""),
    ] {
        let case = Case::new();
        case.file("good.json", &log(999));
        case.file("case.json", &bytes);
        let options = Options { inflated_bytes: 32 << 20, ..Options::default() };
        let source = case.path().to_str().unwrap().to_owned();
        let loaded = pipeline::load(&[source], &options, 1 << 30, &Silent).unwrap();
        let said = rejects(&loaded);
        assert_eq!(loaded.books.kept - 1, kept, "{name}: {said:?}");
        assert!(loaded.books.balance());
        assert!(said.iter().any(|r| r.contains(reason)) || reason.is_empty(), "{name}: {said:?}");
    }
    assert!(!std::path::Path::new("/tmp/roletrail-must-not-be-written.json").exists());
}

/// Runs the command with these bytes as its standard input; standard output and exit code.
fn run(arguments: &[&str], input: &[u8], dir: &std::path::Path) -> (String, Option<i32>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_roletrail"))
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn standard_input_is_a_new_object_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let inputs = [
        gz(&log(1)),
        zip(&[("a.json", records(&[record(1), record(2)]))]),
        gz(&tar(&[("b.json", log(3))])),
        log(3),
    ];
    for input in &inputs {
        assert_eq!(run(&["ingest", "-"], input, dir.path()).1, Some(0));
    }
    let sql = "SELECT path, records, kept, duplicates, sha256 IS NOT NULL FROM files \
               ORDER BY ingested_at, path";
    let (shown, _) = run(&["query", sql, "--format", "csv"], b"", dir.path());
    // In CSV, text that begins like a formula is put behind an apostrophe.
    let lines: Vec<&str> = shown.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "'-,1,1,0,true",
            "'-,0,0,0,true",
            "'-!a.json,2,1,1,true",
            "'-,0,0,0,true",
            "'-!b.json,1,1,0,true",
            "'-,1,0,1,true",
        ]
    );
    let (sum, _) = run(
        &["query", "SELECT count(*) FROM events", "--format", "csv", "--logs", "-"],
        &zst(&records(&[record(8), record(9)])),
        dir.path(),
    );
    assert_eq!(sum.lines().last(), Some("2"));
    assert_eq!(run(&["ingest", "-"], b"", dir.path()).1, Some(3), "nothing came");
}

#[test]
fn selections_reach_into_archives() {
    let at = |account: &str| format!("AWSLogs/{account}/CloudTrail/eu-west-1/2024/05/01/a.json");
    let (ours, theirs) = (at("111111111111"), at("222222222222"));
    let case = Case::new();
    case.file("case.zip", &zip(&[(&ours, log(1)), (&theirs, log(2))]));
    let mut options = Options::default();
    options.sources.only.accounts = vec!["111111111111".into()];
    let source = case.path().to_str().unwrap().to_owned();
    let loaded = pipeline::load(&[source], &options, 1 << 30, &Silent).unwrap();
    assert_eq!((loaded.books.kept, loaded.books.left_out.files), (1, 1));
    assert_eq!(wraps::numbers(&loaded), [1]);
}

#[test]
fn caps_are_options_and_what_breaks_them_is_named() {
    let case = Case::new();
    let mut deep = record(1);
    deep["requestParameters"] = json!({"a": [[[[1]]]]});
    let mut long = record(2);
    long["userAgent"] = json!("x".repeat(3000));
    let mut large = record(3);
    large["requestParameters"] = json!(vec!["x".repeat(900); 9]);
    case.file("logs/a.json", &records(&[deep, long, large, record(4)]));
    let caps = ["--max-depth", "4", "--max-string", "2", "--max-record", "8"];
    let arguments = [&["ingest", "logs"][..], &caps].concat();
    let (said, code) = run(&arguments, b"", case.path());
    assert_eq!(code, Some(0));
    assert!(said.contains("4 = 1 kept + 0 duplicates + 3 rejected"), "{said}");
    let reasons = "SELECT reason FROM rejects ORDER BY position";
    let (said, _) = run(&["query", reasons, "--format", "csv"], b"", case.path());
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "nested deeper than 4 levels (--max-depth)",
            "a string exceeds 2048 bytes (--max-string)",
            "record exceeds 8192 bytes (--max-record)",
        ]
    );
    for wrong in [
        &["ingest", "logs", "--threads", "999999"][..],
        &["ingest", "logs", "--max-depth", "129"],
        &["ingest", "logs", "--max-record", "0"],
        &["query", "SELECT 1", "--memory", "0"],
    ] {
        assert_eq!(run(wrong, b"", case.path()).1, Some(2), "{wrong:?}");
    }
}

#[test]
fn millions_of_rejects_would_not_fill_the_memory() {
    let case = Case::new();
    let many = format!("{{\"Records\":[{}{}]}}", "5,".repeat(150_000), record(1));
    case.file("logs/a.json", many.as_bytes());
    let (said, code) = run(&["ingest", "logs"], b"", case.path());
    assert_eq!(code, Some(0));
    assert!(said.contains("150001 = 1 kept + 0 duplicates + 150000 rejected"), "{said}");
    let sql = "SELECT count(*), count(DISTINCT position) FROM rejects";
    let (said, _) = run(&["query", sql, "--format", "csv"], b"", case.path());
    assert_eq!(said.lines().last(), Some("150000,150000"));
    let folder = case.path().join("roletrail-store");
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let files = files.filter(|f| f.path().to_string_lossy().contains("rejects"));
    let files = files.filter(|f| f.path().extension().is_some_and(|e| e == "parquet")).count();
    assert!(files > 1, "they are written as they come, not kept: {files} files");
}

#[test]
fn a_large_zip_that_comes_only_once_is_read_by_its_directory() {
    // Larger than what is kept in memory; without its directory the second file could not be found.
    let mut noise = vec![0u8; 18 << 20];
    let mut state = 1u64;
    for byte in &mut noise {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        *byte = (state >> 56) as u8;
    }
    let bytes = zip(&[("noise.bin", noise), ("b.json", wraps::records(&[record(1)]))]);
    assert!(bytes.len() > 17 << 20);
    let dir = tempfile::tempdir().unwrap();
    let (file, store) = (dir.path().join("case"), dir.path().join("store"));
    std::fs::write(&file, bytes).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_roletrail"));
    command.args(["ingest", "-", "--store"]).arg(&store);
    let output = command.stdin(std::fs::File::open(&file).unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 = 1 kept + 0 duplicates + 0 rejected"), "{said}");
}
