//! What the tests of several files share.

pub mod agree;
pub mod handed;
pub mod harm;
pub mod oracle;
pub mod python;
pub mod s3;
pub mod scene;
pub mod truth;
pub mod wraps;

use std::path::Path;
use std::sync::Mutex;

use roletrail::intake::{Options, Silent};
use roletrail::pipeline::{self, Loaded};

/// Makes sure that there is a command of Debian's; installs its package where it is absent.
///
/// # Panics
///
/// When it cannot be had; a check that is skipped in silence is no check.
pub fn debian(name: &str, package: &str) {
    let there = || {
        let mut command = std::process::Command::new(name);
        command.arg("--version").output().is_ok_and(|output| output.status.success())
    };
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock();
    if !there() {
        let install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq";
        let install = format!("{install} {package}");
        let status = std::process::Command::new("sh").args(["-c", &install]).status();
        let installed = status.is_ok_and(|status| status.success()) && there();
        assert!(installed, "these tests need {name}, of Debian's package {package}");
    }
}

/// Makes sure that there is a Chromium.
pub fn chromium() {
    debian("chromium", "chromium");
}

/// Reads logs into memory.
pub fn load(roots: &[&Path]) -> Loaded {
    let sources: Vec<String> = roots.iter().map(|root| root.to_str().unwrap().to_owned()).collect();
    let loaded = pipeline::load(&sources, &Options::default(), 4 << 30, &Silent).unwrap();
    assert!(loaded.books.balance(), "{:?}", loaded.books);
    loaded
}

/// All records below a folder, in the order of the files.
pub fn records(root: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<_> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        handed::records(path.to_str().unwrap(), &std::fs::read(path).unwrap())
    };
    files.iter().flat_map(read).collect()
}

/// Writes records as one gzipped log file.
pub fn write_log(path: &Path, records: &[serde_json::Value]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    serde_json::to_writer(&mut gz, &serde_json::json!({ "Records": records })).unwrap();
    gz.finish().unwrap();
}

/// Rewrites every access key to one value, or removes them all.
pub fn rewrite_keys(records: &mut [serde_json::Value], key: Option<&str>) {
    for record in records {
        rewrite_keys_in(record, key);
    }
}

fn rewrite_keys_in(value: &mut serde_json::Value, key: Option<&str>) {
    match value {
        serde_json::Value::Object(members) => {
            if members.contains_key("accessKeyId") {
                match key {
                    Some(key) => _ = members.insert("accessKeyId".into(), key.into()),
                    None => _ = members.remove("accessKeyId"),
                }
            }
            members.values_mut().for_each(|inner| rewrite_keys_in(inner, key));
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|inner| rewrite_keys_in(inner, key));
        }
        _ => {}
    }
}
