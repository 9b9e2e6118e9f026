//! Ingests that are repeated in other words, or refused.

use std::path::Path;
use std::process::Command;

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roletrail"));
    let output = command.env_clear().args(args).current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A folder `logs` with a story's logs, inside a folder of its own.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/two-hats");
    for entry in walkdir::WalkDir::new(&story).into_iter().map(Result::unwrap) {
        let to = dir.path().join("logs").join(entry.path().strip_prefix(&story).unwrap());
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(to).unwrap();
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
    dir
}

#[test]
fn a_folder_named_in_another_way_is_not_read_again() {
    let place = place();
    let (code, out, err) = run(place.path(), &["ingest", "logs"]);
    assert!(code == 0 && out.contains("4 read"), "{out}{err}");
    let whole = place.path().join("logs");
    for spelled in ["logs/", "./logs", "././logs//", whole.to_str().unwrap()] {
        let (code, out, err) = run(place.path(), &["ingest", spelled]);
        assert!(code == 0 && out.contains("0 read, 6 already in"), "{spelled}: {out}{err}");
    }
    // As it was named at first, and once each.
    let paths = "SELECT count(*) AS n FROM files WHERE path LIKE 'logs/%'";
    let (_, out, _) = run(place.path(), &["query", paths, "--format", "csv"]);
    assert_eq!(out, "n\n6\n");
}

#[test]
fn a_refused_ingest_leaves_no_key_behind() {
    let place = place();
    let key = place.path().join("roletrail-store.redact-key");
    let (code, _, _) = run(place.path(), &["ingest", "--redact", "no-such-folder"]);
    assert!(code == 3 && !key.exists(), "{code}");
    assert_eq!(run(place.path(), &["ingest", "logs"]).0, 0);
    let (code, _, err) = run(place.path(), &["ingest", "--redact", "logs"]);
    assert!(code == 2 && err.contains("this store holds logs as they are"), "{err}");
    assert!(!key.exists());
    // A key that a store was made with stays, whatever is refused later.
    let of_other = place.path().join("other.redact-key");
    let other = ["--store", "other", "ingest", "--redact"];
    assert_eq!(run(place.path(), &[&other[..], &["logs"]].concat()).0, 0);
    assert_eq!(run(place.path(), &[&other[..], &["no-such-folder"]].concat()).0, 3);
    assert!(of_other.exists());
}

#[test]
fn no_name_is_no_session() {
    let place = place();
    for name in ["", "  "] {
        let (code, _, err) = run(place.path(), &["session", name, "--logs", "logs"]);
        assert!(code == 2 && err.contains("nothing is named"), "{code}: {err}");
    }
}
