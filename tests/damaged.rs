//! A store whose files were lost, cut or written over says which, and what to do; it never gives a
//! wrong answer for it, and never a list of function calls.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use roletrail::panics::caught;

/// A store of two snapshots, and the program to ask it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { dir: tempfile::tempdir().unwrap() };
        for story in ["two-hats", "three-accounts"] {
            assert_eq!(place.run(&["ingest", &samples(story)]).0, 0);
        }
        place
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
        command.env_clear().env("RUST_BACKTRACE", "1").arg("--store").arg(self.store()).args(args);
        let output = command.current_dir(self.dir.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        let calls = ["panicked", "backtrace", "::error::", "   0:", "Url {"];
        assert!(!calls.iter().any(|call| err.contains(call)), "{args:?}: {err}");
        (output.status.code().unwrap(), out, err)
    }

    fn events(&self) -> String {
        let (code, out, err) = self.run(&["query", COUNT, "--format", "csv"]);
        assert_eq!(code, 0, "{err}");
        out
    }

    /// Every command fails, names the file and says what to do.
    #[track_caller]
    fn refuses(&self, file: &str, because: &str) {
        for args in [&["query", COUNT][..], &["sessions"], &["ingest", &samples("workloads")]] {
            let (code, out, err) = self.run(args);
            assert!(code == 1 && out.is_empty(), "{args:?}: {code} {out} {err}");
            assert!(err.contains(file) && err.contains(because), "{args:?}: {err}");
            assert!(err.contains("hint: `roletrail store check"), "{args:?}: {err}");
        }
        self.is_found(file, because);
    }

    #[track_caller]
    fn is_found(&self, file: &str, because: &str) {
        let (code, out, err) = self.run(&["store", "check", "--deep"]);
        assert!(code == 1 && err.contains("1 file is damaged"), "{code} {out} {err}");
        assert!(out.contains(file) && out.contains(because), "{out}");
    }

    fn data_file(&self, table: &str) -> PathBuf {
        let files = walkdir::WalkDir::new(self.store().join(table)).sort_by_file_name();
        let mut files = files.into_iter().map(|entry| entry.unwrap().into_path());
        files.find(|p| p.extension().is_some_and(|e| e == "parquet")).unwrap()
    }
}

const COUNT: &str = "SELECT count(user_agent) AS events FROM events";

fn samples(story: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs").join(story);
    folder.to_str().unwrap().to_owned()
}

fn cut(path: &Path, to: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..to]).unwrap();
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_whole_store_is_whole() {
    let place = Place::new();
    for args in [&["store", "check"][..], &["store", "check", "--deep"]] {
        let (code, out, err) = place.run(args);
        assert_eq!(code, 0, "{out}{err}");
        assert!(
            out.starts_with("snapshot 2: ") && out.ends_with("in 11 tables are whole\n"),
            "{out}"
        );
    }
    let (code, _, err) = Place { dir: tempfile::tempdir().unwrap() }.run(&["store", "check"]);
    assert!(code == 1 && err.contains("there is no such folder"), "{err}");
}

#[test]
fn the_newest_kept_snapshot_stands_in_for_a_damaged_one() {
    let place = Place::new();
    let whole = place.events();
    let current = place.store().join("snapshot.json");
    let text = std::fs::read(&current).unwrap();
    for damage in [&b""[..], b"\0\0\0\0", b"{\"format\": 1}", &text[..text.len() / 2]] {
        std::fs::write(&current, damage).unwrap();
        let (code, out, err) = place.run(&["query", COUNT, "--format", "csv"]);
        assert_eq!((code, &out), (0, &whole), "{err}");
        assert!(err.contains("warning: snapshot.json is damaged"), "{err}");
        let (code, out, err) = place.run(&["store", "info"]);
        assert!(code == 0 && err.contains("is damaged") && out.contains("snapshot  2"), "{err}");
        place.is_found("snapshot.json", "not a snapshot file");
    }
    let (code, _, err) = place.run(&["ingest", &samples("two-hats")]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(std::fs::read(&current).unwrap(), text, "put right, though nothing was new");
    std::fs::remove_file(&current).unwrap();
    assert_eq!(place.events(), whole);
    place.is_found("snapshot.json", "missing");

    // Nothing stands in for both.
    std::fs::write(&current, "").unwrap();
    cut(&place.store().join("snapshots/2.json"), 40);
    place.refuses("snapshots/2.json", "not a snapshot file");
    std::fs::remove_dir_all(place.store().join("snapshots")).unwrap();
    place.refuses("snapshot.json", "not a snapshot file");
}

#[test]
fn a_damaged_log_names_its_file() {
    let place = Place::new();
    let log = place.store().join("events/_delta_log/00000000000000000001.json");
    let text = std::fs::read(&log).unwrap();
    for (damage, because) in [
        (&b"not json"[..], "not what was written"),
        (&text[..text.len() / 2], "not what was written"),
        (b"", "is empty"),
    ] {
        std::fs::write(&log, damage).unwrap();
        place.refuses("events/_delta_log/00000000000000000001.json", because);
    }
    std::fs::remove_file(&log).unwrap();
    place.refuses("events/_delta_log/00000000000000000001.json", "missing");
    std::fs::remove_dir_all(place.store().join("sessions")).unwrap();
    std::fs::write(&log, &text).unwrap();
    place.refuses("sessions/_delta_log", "the log of this table is missing");
    assert!(!place.store().join("sessions/_delta_log").exists(), "no empty table in its place");
}

#[test]
fn a_lost_or_damaged_data_file_is_named() {
    let place = Place::new();
    let file = place.data_file("events");
    let bytes = std::fs::read(&file).unwrap();
    cut(&file, 500);
    place.refuses(&name(&file), "has 500 bytes");
    std::fs::remove_file(&file).unwrap();
    place.refuses(&name(&file), "this file of the store is missing");
    // As large as it was, but its footer is gone.
    let mut other = bytes.clone();
    let end = other.len() - 200;
    other[end..].fill(0);
    std::fs::write(&file, &other).unwrap();
    let (code, out, err) = place.run(&["query", COUNT]);
    assert!(code == 1 && out.is_empty() && err.contains("hint: "), "{out}{err}");
    assert!(err.contains("store check --deep"), "{err}");
    place.is_found(&name(&file), "no whole Parquet file");
    // As large as it was, and written over in the middle.
    let mut other = bytes.clone();
    other[100..3000].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&file, &other).unwrap();
    let all = "SELECT * FROM events";
    let (code, out, err) = place.run(&["query", all]);
    assert!(code == 1 && out.is_empty() && err.contains("store check --deep"), "{out}{err}");
    place.is_found(&name(&file), "no whole Parquet file");
    assert_eq!(place.run(&["store", "check"]).0, 0, "the footer is whole");
    // Back from a copy.
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(place.run(&["store", "check", "--deep"]).0, 0);
    assert_eq!(place.run(&["ingest", &samples("workloads")]).0, 0);
}

#[test]
fn a_folder_that_a_first_ingest_or_a_report_left_can_be_ingested_into() {
    let place = Place { dir: tempfile::tempdir().unwrap() };
    std::fs::create_dir_all(place.store().join("reports")).unwrap();
    std::fs::write(place.store().join("reports/.daily.lock"), "").unwrap();
    std::fs::create_dir_all(place.store().join("events/_delta_log")).unwrap();
    std::fs::write(place.store().join(".lock"), "").unwrap();
    let (code, out, err) = place.run(&["ingest", &samples("two-hats")]);
    assert!(code == 0 && out.contains("21 kept"), "{out}{err}");
}

#[test]
fn a_value_that_does_not_fit_a_condition_is_no_damage() {
    let place = Place::new();
    for (condition, because) in [
        ("CAST(event_name AS INT) = 5", "Cannot cast string"),
        ("1 / (length(event_name) - length(event_name)) = 1", "DivideByZero"),
    ] {
        let (code, out, err) =
            place.run(&["query", &format!("SELECT event_id FROM events WHERE {condition}")]);
        assert!(code == 1 && out.is_empty(), "{code} {out} {err}");
        assert!(err.contains("the condition cannot be evaluated for every row"), "{err}");
        assert!(err.contains(because) && !err.contains("store check"), "{err}");
        assert_eq!(err.contains("TRY_CAST"), because.contains("cast"), "{err}");
    }
}

#[test]
fn one_bit_that_nothing_else_shows_is_found() {
    let place = Place::new();
    let file = place.data_file("events");
    let bytes = std::fs::read(&file).unwrap();
    // With another bit a bloom filter denies what the file has.
    let filter = filter_of(&file);
    let mut other = bytes.clone();
    other[filter] ^= 1;
    std::fs::write(&file, &other).unwrap();
    assert_eq!(place.run(&["query", "SELECT * FROM events"]).0, 0);
    assert_eq!(place.run(&["store", "check"]).0, 0);
    place.is_found(&name(&file), "its bytes are not those that were written");
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(place.run(&["store", "check", "--deep"]).0, 0);
}

/// The place of the last byte of a bloom filter.
fn filter_of(path: &Path) -> usize {
    let file = std::fs::File::open(path).unwrap();
    let read = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
    let group = read.metadata().row_group(0);
    let filters = group.columns().iter().filter_map(|column| {
        let from = column.bloom_filter_offset()?;
        Some(from + i64::from(column.bloom_filter_length()?) - 1)
    });
    usize::try_from(filters.max().unwrap()).unwrap()
}

/// A footer of which the library that reads it is known to panic: of the schema that Arrow keeps there, one
/// letter is another. Not every letter does, so some are tried.
fn footer_that_panics(bytes: &[u8]) -> Vec<u8> {
    let key = b"ARROW:schema";
    let at = bytes.windows(key.len()).rposition(|part| part == key).unwrap() + key.len() + 8;
    let mut other = bytes.to_vec();
    for place in at..bytes.len() - 8 {
        for letter in [b'A', b'/', b'z'] {
            other[place] = letter;
            let copy = bytes::Bytes::copy_from_slice(&other);
            let read = || ArrowReaderMetadata::load(&copy, ArrowReaderOptions::new()).is_ok();
            if caught(read).is_err() {
                return other;
            }
        }
        other[place] = bytes[place];
    }
    panic!("the library has become proof against all of them");
}

#[test]
fn a_file_of_which_the_engine_panics_ends_the_statement_and_not_the_shell() {
    let place = Place::new();
    let file = place.data_file("events");
    let bytes = footer_that_panics(&std::fs::read(&file).unwrap());
    std::fs::write(&file, bytes).unwrap();
    for args in [&["query", COUNT][..], &["who", "--action", "*"]] {
        let (code, out, err) = place.run(args);
        assert!(code == 1 && out.is_empty(), "{args:?}: {code} {out} {err}");
        assert!(err.contains("store check --deep"), "{args:?}: {err}");
    }
    place.is_found(&name(&file), "no whole Parquet file");

    let mut shell = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    shell.env_clear().args(["shell", "--store"]).arg(place.store()).current_dir(place.dir.path());
    let pipes = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = pipes.spawn().unwrap();
    let statements = format!("{COUNT};\nSELECT count(*) > 0 AS there FROM sessions;\n");
    shell.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(err.contains("store check --deep") && !err.contains("panicked"), "{err}");
    assert!(out.contains("true"), "{out}{err}");
}
