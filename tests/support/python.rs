//! A Python with the packages of `tests/python/requirements.txt`, made once below `target/`.
//!
//! A test that needs it fails when it cannot be had: a check that is skipped in silence is no check.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Runs `tests/python/<script>` with `args` and gives its standard output.
///
/// # Panics
///
/// When Python, its packages or the script fail; the message holds what they printed.
pub fn run(script: &str, args: &[&Path]) -> String {
    let python = interpreter();
    let script = tests_dir().join(script);
    output(Command::new(python).arg(script).args(args).env_remove("PYTHONPATH"))
}

/// The interpreter and the path of `tests/python/<script>`, for a script that is to go on running.
pub fn script(script: &str) -> (PathBuf, PathBuf) {
    (interpreter(), tests_dir().join(script))
}

fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}

/// The interpreter of the virtual environment; makes the environment where it is absent or was made
/// from other requirements.
fn interpreter() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target folder");
    let venv = target.join("venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // Test programs may run at the same time.
    let lock = File::create(target.join("venv.lock")).expect("lock file of the environment");
    lock.lock().expect("lock of the environment");

    let requirements = tests_dir().join("requirements.txt");
    let hash = Sha256::digest(fs::read(&requirements).expect("requirements.txt"));
    let wanted: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let marker = venv.join("requirements.sha256");
    if fs::read_to_string(&marker).is_ok_and(|made_from| made_from == wanted) {
        return python;
    }
    output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    output(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(&requirements),
    );
    fs::write(marker, wanted).expect("marker of the environment");
    python
}

fn output(command: &mut Command) -> String {
    let shown = format!("{command:?}");
    let result = command.output().unwrap_or_else(|e| panic!("cannot run {shown}: {e}"));
    assert!(
        result.status.success(),
        "{shown} failed ({}); these tests need python3 with venv, and PyPI the first time\n{}\n{}",
        result.status,
        String::from_utf8_lossy(&result.stdout),
        String::from_utf8_lossy(&result.stderr),
    );
    String::from_utf8(result.stdout).expect("output is UTF-8")
}
