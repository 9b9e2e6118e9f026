#![no_main]
//! Single records, as far as the rows that are made of them; and redacted.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::record(bytes);
});
