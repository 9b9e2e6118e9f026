//! The notebook of the worked example runs from start to end with the real packages, finds what the
//! records themselves say, and holds the outputs that come out.
//!
//! `UPDATE_NOTEBOOK=1 cargo test --test all notebook::` writes what comes out into the notebook, to be
//! looked at before it is kept.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support;
use serde_json::Value;

/// Runs the notebook, with other parameters where there are any, and gives what its cells put out.
fn run(out: &Path, parameters: Option<&str>) -> Value {
    let binaries = Path::new(env!("CARGO_BIN_EXE_roletrail")).parent().unwrap();
    let notebook = notebook();
    let mut args = vec![notebook.as_path(), out, binaries];
    let file = out.with_extension("py");
    if let Some(parameters) = parameters {
        fs::write(&file, parameters).unwrap();
        args.push(&file);
    }
    serde_json::from_str(&support::python::run("run_notebook.py", &args)).unwrap()
}

fn notebook() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notebook/break-glass.ipynb")
}

fn text<'a>(report: &'a Value, cell: &str) -> &'a str {
    let texts = report["texts"].as_array().unwrap();
    texts.iter().find(|text| text[0] == cell).unwrap()[1].as_str().unwrap()
}

/// Every picture is there, and something is drawn on it.
fn pictures(report: &Value) {
    let pictures = report["pictures"].as_array().unwrap();
    let cells: Vec<_> = pictures.iter().map(|picture| picture["cell"].as_str().unwrap()).collect();
    assert_eq!(cells, ["chain", "timeline"]);
    for picture in pictures {
        assert!(picture["width"].as_u64() > Some(400) && picture["height"].as_u64() > Some(80));
        assert!(picture["colours"].as_u64() > Some(50), "{picture}");
    }
}

/// The text that a notebook file holds as outputs, as `[[cell, text], ...]`.
fn stored(notebook: &Path) -> Vec<Value> {
    let notebook: Value = serde_json::from_slice(&fs::read(notebook).unwrap()).unwrap();
    let joined = |lines: &Value| -> String {
        lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
    };
    let cells = notebook["cells"].as_array().unwrap().iter();
    cells
        .flat_map(|cell| {
            let outputs = cell["outputs"].as_array().into_iter().flatten();
            let texts = outputs.filter(|output| output["data"]["image/png"].is_null());
            texts.map(move |output| {
                let text = output.get("text").unwrap_or(&output["data"]["text/plain"]);
                Value::from(vec![cell["id"].clone(), joined(text).into()])
            })
        })
        .collect()
}

#[test]
fn the_notebook_finds_the_person_and_shows_what_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.ipynb");
    let report = run(&out, None);
    pictures(&report);

    // What the records say, without the tool.
    let logs = Path::new("sample-logs/two-hats");
    let hat = "assumed-role/SecurityBreakGlassRole/incident-4711";
    let records = support::records(logs);
    let writes: Vec<_> = records
        .iter()
        .filter(|r| r["userIdentity"]["arn"].as_str().is_some_and(|arn| arn.ends_with(hat)))
        .filter(|r| r["readOnly"] == false)
        .collect();
    let truth = fs::read_to_string(logs.join("truth.csv")).unwrap();
    let id = writes[0]["eventID"].as_str().unwrap();
    let origin = truth.lines().find(|line| line.starts_with(id)).unwrap().split(',').nth(2);
    assert_eq!(origin, Some("arn:aws:iam::111111111111:user/anna"));

    assert_eq!(
        text(&report, "chain"),
        "111111111111/anna → 111111111111/SecurityAnalystRole → 222222222222/SecurityBreakGlassRole\n"
    );
    let answer = text(&report, "answer");
    let who = format!("session incident-4711: {} (IAMUser)\nStrength: exact;", origin.unwrap());
    assert!(answer.contains(&who), "{answer}");
    assert!(answer.contains(&format!("\nWrites: {}\n", writes.len())), "{answer}");
    for write in &writes {
        let name = write["eventName"].as_str().unwrap();
        assert!(text(&report, "writes").contains(&format!(":{name}")), "{name}");
        assert!(answer.contains(&format!(":{name} ok")), "{answer}");
    }
    // The records that hand out the two hats are the proof.
    for grant in records.iter().filter(|r| r["eventName"] == "AssumeRole") {
        let id = grant["eventID"].as_str().unwrap();
        assert!(text(&report, "proof").contains(id), "{id}");
    }

    if std::env::var_os("UPDATE_NOTEBOOK").is_some() {
        fs::copy(&out, notebook()).unwrap();
    }
    let fresh = report["texts"].as_array().unwrap();
    let stored = stored(&notebook());
    for (stored, fresh) in stored.iter().zip(fresh) {
        assert_eq!(stored, fresh, "the notebook shows what does not come out");
    }
    assert_eq!(stored.len(), fresh.len());
}

/// Where the logs do not tell, neither does the notebook.
#[test]
fn the_notebook_names_nobody_where_the_logs_do_not_tell() {
    let dir = tempfile::tempdir().unwrap();
    let (deployer, admin) = ("s-x399vsm54a8k0ac81313737254", "maintenance");
    for (role, session, chain, reason) in [
        ("Deployer", deployer, "unknown → 111111111111/Deployer\n", "grant_missing"),
        (
            "DatabaseAdmin",
            admin,
            "unknown → 111111111111/Deployer → 222222222222/DatabaseAdmin\n",
            "parent_unresolved",
        ),
    ] {
        let parameters = format!(
            "LOGS = '../../sample-logs/missing-grant'\nROLE = '{role}'\nSESSION = '{session}'\n"
        );
        let report = run(&dir.path().join("out.ipynb"), Some(&parameters));
        pictures(&report);
        assert_eq!(text(&report, "chain"), chain);
        let answer = text(&report, "answer");
        let said = format!("Behind {role}, session {session}: unknown ({reason})\nStrength: none;");
        assert!(answer.starts_with(&said), "{answer}");
        assert!(!answer.contains("IAMUser"), "{answer}");
    }
}
