//! The gateway as a library: the example of it works, and an embedder names the compiler of plugins.

#[path = "../../host/gateway/examples/embedded.rs"]
mod embedded;

use postgate::Gateway;
use postgate::config::{Config, Overrides};
use postgate_tests::compiler::compiler;
use postgate_tests::gateway::Setup;
use tokio::runtime::Runtime;

#[test]
fn a_program_can_have_a_gateway_of_its_own() {
    embedded::main().unwrap();
}

/// Only the program knows how it compiles plugins: it names a command, or has to do without plugins.
#[test]
fn a_program_names_the_command_that_compiles_plugins() {
    let setup =
        Setup::new()
            .set("plugins.cache = \"cache\"")
            .plugin("10-edition", "guests/edition", "");
    let config = || Config::load(&setup.write(), &Overrides::default()).expect("a configuration");
    let runtime = Runtime::new().expect("a runtime");
    let start = |config| runtime.block_on(Gateway::start(config));
    let error = start(config()).err().map(|error| error.to_string());
    let error = error.expect("nothing compiles the plugin");
    assert!(
        error.contains("10-edition.wasm: no program is named that compiles plugins"),
        "{error}"
    );
    let mut named = config();
    named.plugins.compiler = Some(compiler());
    start(named).expect("the plugin is compiled");
    // Its code is in the cache now.
    start(config()).expect("the plugin is loaded");
}
