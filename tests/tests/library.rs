//! The gateway as a library: the example of it works.

#[path = "../../host/gateway/examples/embedded.rs"]
mod embedded;

#[test]
fn a_program_can_have_a_gateway_of_its_own() {
    embedded::main().unwrap();
}
