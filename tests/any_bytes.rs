//! For any bytes: no panic, no number left out, nothing kept that is large. The same properties as the fuzz
//! targets (`tests/fuzz`), from the seeds there and what chance makes of them.

#[path = "fuzz/properties.rs"]
mod properties;

use std::io::Cursor;
use std::path::Path;

use crate::support;
use crate::support::wraps;
use proptest::prelude::*;
use serde_json::Value;

fn seeds(folder: &str) -> Vec<(String, Vec<u8>)> {
    let files =
        walkdir::WalkDir::new(Path::new("tests/fuzz/seeds").join(folder)).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path()).filter(|p| p.is_file());
    files.map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// `UPDATE_SEEDS=1` writes them anew.
fn write_seeds() {
    let records: Vec<Value> = (1..=2).map(wraps::record).collect();
    let name = |name: &str| name.replace([' ', ','], "-").replace("--", "-");
    let tables = wraps::parquet(&records);
    let mut objects = wraps::packed(&wraps::records(&records));
    objects.push(("zip of Parquet", wraps::zip(&[("a.parquet", tables[0].1.clone())])));
    for (folder, files) in [
        ("stream", wraps::texts(&records)),
        ("object", objects),
        ("parquet", tables),
        ("record", notable_records()),
        ("text", notable_texts()),
        ("settings", settings()),
    ] {
        let folder = Path::new("tests/fuzz/seeds").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (form, bytes) in files {
            std::fs::write(folder.join(name(form)), bytes).unwrap();
        }
    }
}

/// Records of every way in, each by itself.
fn notable_records() -> Vec<(&'static str, Vec<u8>)> {
    let one_of = |folder: &'static str| {
        let records = support::records(&Path::new("sample-logs").join(folder));
        let grants = records.iter().filter(|r| {
            let source = r["eventSource"].as_str().unwrap_or("");
            ["sts.", "signin.", "sso.", "rolesanywhere.", "cognito-identity.", "eks-auth."]
                .iter()
                .any(|service| source.starts_with(service))
        });
        let lines: Vec<String> = grants.take(6).map(|r| format!("{r}\n")).collect();
        (folder, lines.concat().into_bytes())
    };
    [
        "two-hats",
        "three-accounts",
        "denied-attempts",
        "github-oidc",
        "saml-and-identity-center",
        "certificates-and-app-users",
        "console-and-programs",
        "workloads",
    ]
    .map(one_of)
    .to_vec()
}

fn notable_texts() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("time", "2024-05-01T09:00:12Z"),
        ("expiration", "May 1, 2024, 10:00:12 AM"),
        ("ago", "24h"),
        ("role", "arn:aws-us-gov:iam::111111111111:role/a/path/Admin"),
        ("assumed role", "arn:aws:sts::111111111111:assumed-role/Admin/anna@example.com"),
        ("service", "arn:aws:iam::111111111111:role/aws-service-role/ecs.amazonaws.com/X"),
        ("account", "1234567890"),
        (
            "denial",
            "User: arn:aws:iam::111111111111:user/anna is not authorized to perform: sts:AssumeRole on \
             resource: arn:aws:iam::222222222222:role/Admin with an explicit deny in a service control \
             policy",
        ),
        ("token", "{\"sessionToken\":\"FwoGZXIvYXdzEXAMPLE\",\"x\":\"&X-Amz-Security-Token=FwoGZXIvYXdzEXAMPLE\"}"),
        ("policy", r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}]}"#),
        ("agent", "aws-cli/2.15.40 md/awscrt#0.19.19 os/linux#6.1.0 198.51.100.7 i-0d7f36d67324002cf"),
    ]
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .to_vec()
}

fn settings() -> Vec<(&'static str, Vec<u8>)> {
    let read = |path: &str| std::fs::read(path).unwrap();
    vec![
        ("sets", read("src/answers/report/sets.toml")),
        ("query", read("queries/role-users.sql")),
        (
            "snapshot",
            br#"{"id":1,"format":1,"tool_version":"0","written_at":"x","tables":{"events":0}}"#
                .to_vec(),
        ),
    ]
}

#[test]
fn seeds_are_read_whole() {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        write_seeds();
    }
    let streams = seeds("stream");
    assert!(streams.len() > 20 && seeds("object").len() > 10);
    for (name, bytes) in streams {
        assert_eq!(properties::stream(bytes.as_slice()), (2, 0), "{name}");
    }
    seeds("object").iter().for_each(|(_, bytes)| properties::object(bytes));
    for (name, bytes) in seeds("parquet") {
        assert_eq!(properties::parquet(Cursor::new(bytes)), (2, 0), "{name}");
    }
    for (name, bytes) in seeds("record") {
        assert!(properties::record(&bytes) > 0, "{name}");
    }
    seeds("text").iter().for_each(|(_, bytes)| properties::text(bytes));
    for (_, bytes) in seeds("settings") {
        let folder = tempfile::tempdir().unwrap();
        properties::settings(&bytes, folder.path());
    }
}

/// What made a property fail once, by the name of the target.
#[test]
fn what_was_found_stays_mended() {
    for (name, bytes) in seeds("../found") {
        let target = Path::new(&name).file_name().unwrap().to_str().unwrap().to_owned();
        match target.split('-').next().unwrap() {
            "stream" => drop(properties::stream(bytes.as_slice())),
            "object" => properties::object(&bytes),
            "parquet" => drop(properties::parquet(Cursor::new(bytes))),
            "record" => drop(properties::record(&bytes)),
            "text" => properties::text(&bytes),
            "settings" => properties::settings(&bytes, tempfile::tempdir().unwrap().path()),
            other => panic!("no target is called {other}"),
        }
    }
}

/// Bytes made of two seeds: cut, joined, sprinkled with what means something.
fn made_of(seeds: &[(String, Vec<u8>)], choice: &Choice) -> Vec<u8> {
    let (a, b) =
        (&seeds[choice.first.index(seeds.len())].1, &seeds[choice.second.index(seeds.len())].1);
    let (cut_a, cut_b) = (choice.cuts.0.index(a.len() + 1), choice.cuts.1.index(b.len() + 1));
    let mut bytes = [&a[..cut_a], &b[cut_b..]].concat();
    for (at, what) in &choice.changes {
        let at = at.index(bytes.len() + 1);
        let end = bytes.len().min(at + what.len() % 3);
        bytes.splice(at..end, what.iter().copied());
    }
    bytes
}

#[derive(Debug, Clone)]
struct Choice {
    first: prop::sample::Index,
    second: prop::sample::Index,
    cuts: (prop::sample::Index, prop::sample::Index),
    changes: Vec<(prop::sample::Index, Vec<u8>)>,
}

fn choices() -> impl Strategy<Value = Choice> {
    let telling: Vec<&'static [u8]> = vec![
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"\n",
        b"\\",
        b"\0",
        b"\xff",
        b"{\"Records\":[",
        b"\"\"",
        b"\x1f\x8b\x08",
        b"PK\x03\x04",
        b"\\ud800",
        b"{\"message\":\"",
        b"PK\x05\x06",
        b"{\"eventTime\":",
    ];
    let change = prop_oneof![
        prop::sample::select(telling).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    let index = any::<prop::sample::Index>;
    let changes = prop::collection::vec((index(), change), 0..6);
    (index(), index(), (index(), index()), changes)
        .prop_map(|(first, second, cuts, changes)| Choice { first, second, cuts, changes })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_to_its_end(choice in choices()) {
        properties::stream(made_of(&seeds("stream"), &choice).as_slice());
    }

    #[test]
    fn any_object_is_read_to_its_end(choice in choices()) {
        properties::object(&made_of(&seeds("object"), &choice));
    }

    #[test]
    fn any_table_is_read_to_its_end(choice in choices()) {
        properties::parquet(Cursor::new(made_of(&seeds("parquet"), &choice)));
    }

    #[test]
    fn any_record_gives_rows_that_give_it_back(choice in choices()) {
        properties::record(&made_of(&seeds("record"), &choice));
    }

    #[test]
    fn any_text_in_a_record_is_taken_as_it_comes(choice in choices()) {
        properties::text(&made_of(&seeds("text"), &choice));
    }

    #[test]
    fn any_file_of_settings_is_read_or_refused(choice in choices()) {
        let folder = tempfile::tempdir().unwrap();
        properties::settings(&made_of(&seeds("settings"), &choice), folder.path());
    }
}
