#![no_main]
//! Objects as stored: gzip, zstd, zip, tar, and what lies in them.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::object(bytes);
});
