#![no_main]
//! What stands in members: times, ARNs, account ids, messages.

#[path = "../properties.rs"]
#[allow(dead_code)] // each target uses a part
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::text(bytes);
});
