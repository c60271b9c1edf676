//! The program `postgate`: a command line in, an exit code out.

use std::process::ExitCode;

// Sessions allocate and free small pieces on all threads at once, which the system's allocator is
// slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    postgate_cli::main()
}
