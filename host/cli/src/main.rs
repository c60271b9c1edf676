//! The program `postgate`.

use std::process::ExitCode;

// Sessions allocate and free small blocks on all threads concurrently, for which the allocator of the
// system is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    postgate_cli::main()
}
