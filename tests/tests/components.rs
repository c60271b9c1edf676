//! Components that no compiler would make: what they hand to the host is nonsense, or more than they
//! have. They are written in the text format of WebAssembly, and made components as the gateway does it.

use postgate_tests::client::Client;
use postgate_tests::edition::guest;
use postgate_tests::gateway::{Gateway, Setup, program, repository};
use postgate_tests::peer::run;
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The parts of a module that have no choice: where the host puts what it gives, and one answer.
/// `ANSWER` is where the answer to `on-rcpt` begins; all of it is zero, which means `next`.
fn module(imports: &str, allocate: &str, on_rcpt: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {imports}
            (memory (export "memory") 256)
            (table $table 1 funcref)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {allocate})
            (func $recurse (result i32) (i32.add (call $recurse) (call $recurse)))
            (func $fill (param $octet i32)
                (memory.fill (i32.const {ANSWER}) (local.get $octet) (i32.const 64))
                (i32.store8 (i32.const {ANSWER}) (i32.const 0)))
            (func $words (param $word i32) (local $at i32)
                (local.set $at (i32.const {ANSWER}))
                (loop $next
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (i32.store (local.get $at) (local.get $word))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const {WORDS_END})))))
            (func (export "postgate:plugin/on-rcpt@0.1.0#on-rcpt")
                (param i32 i32 i32 i32) (result i32) {on_rcpt})
            {more}
        )"#
    );
    wat::parse_str(text).expect("a module")
}

const ANSWER: u32 = 4_096;
const WORDS_END: u32 = ANSWER + 60;
/// Always the same place: nobody here keeps what the host gives.
const ALLOCATE: &str = "(i32.const 65536)";

/// Gives a module the description of what it imports and exports.
fn described(mut module: Vec<u8>, more_of_the_world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve
        .push_dir(repository().join("wit"))
        .expect("the contract");
    let world = format!(
        "package tests:components; world component {{ import postgate:plugin/log@0.1.0; \
         import postgate:plugin/message@0.1.0; export postgate:plugin/on-rcpt@0.1.0; \
         {more_of_the_world} }}"
    );
    let package = resolve.push_str("world.wit", &world).expect("a world");
    let world = resolve
        .select_world(&[package], None)
        .expect("the only world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a description");
    module
}

fn start(module: &[u8]) -> Gateway {
    Setup::new()
        .plugin_file("10-bad", module, "limits.cpu = \"100ms\"")
        .start()
}

/// The recipient of a session is refused for this cause, with this in the log, and the next session
/// is served as this one was.
fn assert_fails(what: &str, module: &[u8], cause: &str, text: &str) {
    let mut gateway = start(module);
    for _ in 0..2 {
        let mut client = Client::greeted(gateway.address());
        client.says("MAIL FROM:<alice@client.example>", "250");
        let reply = client.ask("RCPT TO:<bob@example.org>");
        assert!(reply.starts_with("451 4.3.0"), "{what}: {reply}");
        client.says("QUIT", "221");
    }
    let line = gateway.log().wait_for_message("plugin failed");
    assert_eq!(line["plugin"], "10-bad", "{what}");
    assert_eq!(line["event"], "rcpt", "{what}");
    assert_eq!(line["cause"], cause, "{what}: {line}");
    let error = line["error"].as_str().unwrap_or_default();
    assert!(error.contains(text), "{what}: {error}");
    assert!(gateway.is_up(), "{what}");
}

/// A plugin of another version of the contract does not become one that is never asked.
#[test]
fn an_event_that_there_is_not_keeps_a_plugin_out() {
    let mut wasm = guest("rogue");
    let (known, unknown) = (b"on-vrfy", b"on-vrfx");
    let at = |wasm: &[u8]| wasm.windows(known.len()).position(|found| found == known);
    while let Some(at) = at(&wasm) {
        wasm[at..at + known.len()].copy_from_slice(unknown);
    }
    let setup = Setup::new().plugin_file(
        "10-late",
        &wasm,
        "grants = [\"clock\", \"dns\", \"random\", \"store\"]",
    );
    let output = run(program().args(["check", "--config"]).arg(setup.write()));
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected =
        "10-late.wasm: it exports postgate:plugin/on-vrfx@0.1.0, which this gateway never calls";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn nonsense_is_a_failure() {
    let answer = format!("(i32.const {ANSWER})");
    let table = [
        (
            "an answer beyond the memory",
            "(i32.const -8)".to_owned(),
            "trap",
            "out of bounds",
        ),
        (
            "an answer off its alignment",
            "(i32.const 4097)".to_owned(),
            "trap",
            "not aligned",
        ),
        (
            "a verdict that there is not",
            format!("(i32.store8 (i32.const {ANSWER}) (i32.const 200)) {answer}"),
            "trap",
            "discriminant",
        ),
        (
            "four thousand million edits",
            format!("(call $fill (i32.const 255)) {answer}"),
            "trap",
            "out of bounds",
        ),
        (
            "more edits than the host copies",
            format!("(call $words (i32.const 0x40000)) {answer}"),
            "hostcall-bytes",
            "limits.hostcall-bytes",
        ),
        (
            "no end of calls",
            "(call $recurse)".to_owned(),
            "trap",
            "call stack exhausted",
        ),
    ];
    for (what, on_rcpt, cause, text) in table {
        let module = described(module("", ALLOCATE, &on_rcpt, ""), "");
        assert_fails(what, &module, cause, text);
    }
}

#[test]
fn an_allocator_can_not_fool_the_host() {
    let table = [
        (
            "beyond the memory",
            "(i32.const -1)",
            "trap",
            "realloc return",
        ),
        ("a trap", "unreachable", "trap", "unreachable"),
        (
            "no end",
            "(loop $again (br $again)) (i32.const 0)",
            "cpu",
            "limits.cpu of 100ms",
        ),
    ];
    for (what, allocate, cause, text) in table {
        let module = described(module("", allocate, "(i32.const 4096)", ""), "");
        assert_fails(what, &module, cause, text);
    }
}

#[test]
fn a_call_with_nonsense_is_a_failure() {
    let imports = r#"
        (import "postgate:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
        (import "postgate:plugin/message@0.1.0" "read-body" (func $read (param i32 i32 i32)))
        (import "postgate:plugin/message@0.1.0" "header-text" (func $text (param i32 i32 i32)))"#;
    let table = [
        (
            "a level that there is not",
            "(call $log (i32.const 9) (i32.const 0) (i32.const 0))",
            "discriminant",
        ),
        (
            "a text beyond the memory",
            "(call $log (i32.const 1) (i32.const 8) (i32.const -1))",
            "out of bounds",
        ),
        (
            "a text that begins beyond it",
            "(call $log (i32.const 1) (i32.const -1) (i32.const 1))",
            "out of bounds",
        ),
        (
            "a text that is none",
            "(i32.store8 (i32.const 8) (i32.const 255)) (call $log (i32.const 1) (i32.const 8) (i32.const 1))",
            "utf-8",
        ),
        (
            "room beyond the memory",
            "(call $read (i32.const -1) (i32.const -1) (i32.const -4))",
            "out of bounds",
        ),
        (
            "room off its alignment",
            "(call $text (i32.const 0) (i32.const 0) (i32.const 3))",
            "not aligned",
        ),
    ];
    for (what, call, text) in table {
        let on_rcpt = format!("{call} (i32.const {ANSWER})");
        let module = described(module(imports, ALLOCATE, &on_rcpt, ""), "");
        assert_fails(what, &module, "trap", text);
    }
}

#[test]
fn handles_are_bounded() {
    let imports =
        r#"(import "[export]things" "[resource-new]thing" (func $new (param i32) (result i32)))"#;
    let on_rcpt = "(loop $again (drop (call $new (i32.const 1))) (br $again)) (i32.const 4096)";
    let world = "export things: interface { resource thing; }";
    let module = described(module(imports, ALLOCATE, on_rcpt, ""), world);
    assert_fails("no end of handles", &module, "trap", "handle");
}

/// What only asks for too much, and does without, is no failure.
#[test]
fn tables_and_memories_grow_to_their_limits_and_no_further() {
    let table = [
        (
            "tables",
            "(loop $again (br_if $again (i32.ne (i32.const -1)
                (table.grow $table (ref.null func) (i32.const 10000)))))
             (if (i32.gt_u (table.size $table) (i32.const 100000)) (then unreachable))",
        ),
        (
            "memories",
            "(loop $again (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 16)))))
             (if (i32.gt_u (memory.size) (i32.const 512)) (then unreachable))",
        ),
    ];
    for (what, grow) in table {
        let on_rcpt = format!("{grow} (i32.const {ANSWER})");
        let gateway = start(&described(module("", ALLOCATE, &on_rcpt, ""), ""));
        for _ in 0..3 {
            let mut client = Client::greeted(gateway.address());
            client.says("MAIL FROM:<alice@client.example>", "250");
            let reply = client.ask("RCPT TO:<bob@example.org>");
            assert!(reply.starts_with("250"), "{what}: {reply}");
        }
    }
}

/// What would take the places of other sessions in the pool does not get in.
#[test]
fn a_component_of_many_memories_or_tables_is_refused() {
    let table = [
        ("memories", "(memory 0) (memory 0)"),
        (
            "tables",
            "(table 1 funcref) (table 1 funcref) (table 1 funcref) (table 1 funcref)",
        ),
    ];
    for (what, more) in table {
        let module = described(module("", ALLOCATE, "(i32.const 4096)", more), "");
        let setup = Setup::new().plugin_file("10-bad", &module, "");
        let output = run(program().args(["check", "--config"]).arg(setup.write()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{what}: {said}");
        assert!(said.contains(&format!("defined {what} count of")), "{said}");
    }
}

#[test]
fn imports_that_are_not_granted_or_not_there_are_named() {
    let table = [
        (
            r#"(import "postgate:plugin/store@0.1.0" "remove" (func $call (param i32 i32)))"#,
            "(call $call (i32.const 0) (i32.const 0))",
            "import postgate:plugin/store@0.1.0;",
            "it imports postgate:plugin/store@0.1.0; to allow that, write grants = [\"store\"] into",
        ),
        (
            r#"(import "sockets" "open" (func $call))"#,
            "(call $call)",
            "import sockets: interface { open: func(); }",
            "it imports sockets, which this gateway does not offer",
        ),
    ];
    for (import, call, world, expected) in table {
        let on_rcpt = format!("{call} (i32.const {ANSWER})");
        let module = described(module(import, ALLOCATE, &on_rcpt, ""), world);
        let setup = Setup::new().plugin_file("10-bad", &module, "");
        let output = run(program().args(["check", "--config"]).arg(setup.write()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{said}");
        assert!(
            said.contains("10-bad.wasm") && said.contains(expected),
            "{said}"
        );
    }
}
