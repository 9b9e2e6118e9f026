//! Starts the command line and turns its result into an exit code.

/// Reading logs makes many small allocations on all cores at once, which the C library's allocator
/// handles slowly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    roletrail::cli::main()
}
