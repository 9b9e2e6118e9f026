#![no_main]
//! What people write: sets of reports, saved queries, the snapshot of a store.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    properties::settings(bytes, folder.path());
});
