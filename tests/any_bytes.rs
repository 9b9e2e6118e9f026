//! For any bytes: no panic, no number left out, nothing kept that is large. The same properties as the fuzz
//! targets (`tests/fuzz`), from the seeds there and what chance makes of them.

#[path = "fuzz/properties.rs"]
mod properties;
mod support;

use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;
use support::wraps;

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
    for (folder, files) in
        [("stream", wraps::texts(&records)), ("object", wraps::packed(&wraps::records(&records)))]
    {
        let folder = Path::new("tests/fuzz/seeds").join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (form, bytes) in files {
            std::fs::write(folder.join(name(form)), bytes).unwrap();
        }
    }
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
}
