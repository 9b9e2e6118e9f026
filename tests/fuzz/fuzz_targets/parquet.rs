#![no_main]
//! Tables in Parquet.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::parquet(std::io::Cursor::new(bytes.to_vec()));
});
