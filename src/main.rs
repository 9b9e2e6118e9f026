//! Starts the command line and turns its result into an exit code.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// Reading logs makes many small allocations on all cores at once, which the C library's allocator
/// handles slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long memory that is not used any more is kept from the system, in milliseconds. The allocator's
/// own second keeps what every step of an ingest or a report has left behind, in heaps of many threads.
const KEEP_MS: std::ffi::c_long = 400;

/// `mi_option_purge_delay` of mimalloc.h, which the crate has no name for; 15 in mimalloc 2 and 3.
const PURGE_DELAY: mi_option_t = 15;

fn main() -> std::process::ExitCode {
    // Whoever sets MIMALLOC_PURGE_DELAY keeps their own.
    // SAFETY: sets a number, and no other thread runs yet.
    unsafe { mi_option_set_default(PURGE_DELAY, KEEP_MS) };
    roletrail::cli::main()
}
