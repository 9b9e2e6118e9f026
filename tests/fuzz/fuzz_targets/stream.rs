#![no_main]
//! Text in any container: JSON in all its forms, lines, CSV.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::stream(bytes);
});
