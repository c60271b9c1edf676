//! Plugin files are compiled in a process of their own: what they do to the compiler harms nobody.

use std::env::consts::ARCH;
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use postgate_tests::PATIENCE;
use postgate_tests::control::{SOCKET, wait_for_state};
use postgate_tests::edition::{NO_RESCAN, Witness, deploy, edition, says, start, wait_until_told};
use postgate_tests::gateway::{Setup, program, repository};
use postgate_tests::peer::{pause, run};
use postgate_tests::process::resident_memory;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::Value;

/// Metadata of a component that refers to itself.
const CYCLIC: &str = "cyclic-metadata.wasm";
/// Components in components, where each level doubles the work.
const NESTED: &str = "nested-components-24.wasm";

fn component(name: &str) -> Vec<u8> {
    let file = repository().join("tests/components").join(name);
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The same component with another SHA-256.
fn variant(name: &str, number: u8) -> Vec<u8> {
    let mut octets = component(name);
    // A custom section: its kind, its size, and the size of its name, which is this number.
    octets.extend([0, 2, 1, b'0' + number]);
    octets
}

/// A component with a module of so many functions that do nothing.
fn empty_functions(count: usize) -> Vec<u8> {
    let body = [2, 0, 0x0B];
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[leb128(count), vec![0; count]].concat()),
        section(10, &[leb128(count), body.repeat(count)].concat()),
    ];
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb128(content.len()).as_slice(), content].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    while number > 0x7F {
        octets.push(0x80 | (number & 0x7F) as u8);
        number >>= 7;
    }
    octets.push(number as u8);
    octets
}

fn error_of(state: &Value) -> &str {
    state["error"].as_str().unwrap_or_default()
}

#[test]
fn what_ends_the_compiler_does_not_end_the_gateway() {
    let gateway = start(&[NO_RESCAN]);
    let mut witness = Witness::of(&gateway);
    deploy(&gateway, "10-edition.wasm", &component(CYCLIC));
    let state = wait_for_state(&gateway, "10-edition", "outdated");
    assert!(error_of(&state).contains("nested too deep"), "{state}");
    witness.is_told_the_same();
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    witness.is_told_the_same();
}

#[test]
fn each_limit_ends_a_compilation() {
    let nested = component(NESTED);
    let functions = empty_functions(900_000);
    let memory = "plugins.load-memory of 268435456 octets";
    let table = [
        ("load-memory = \"256MiB\"", &nested, memory),
        ("load-memory = \"256MiB\"", &functions, memory),
        ("load-cpu = \"1s\"", &nested, "plugins.load-cpu of 1s"),
        (
            "load-time = \"200ms\"",
            &nested,
            "plugins.load-time of 200ms",
        ),
    ];
    for (setting, file, sign) in table {
        let gateway = start(&[NO_RESCAN, &format!("plugins.{setting}")]);
        let before = resident_memory(&gateway);
        deploy(&gateway, "20-large.wasm", file);
        let state = wait_for_state(&gateway, "20-large", "refused");
        assert!(error_of(&state).contains(sign), "{state}");
        assert!(error_of(&state).contains("20-large.wasm"), "{state}");
        // What the compiler had is gone with it.
        let grown = resident_memory(&gateway).saturating_sub(before);
        assert!(grown < 32 << 20, "{setting}: {grown} octets");
    }
}

/// Before, two of them held up everybody else.
#[test]
fn slow_compilations_hold_up_no_other() {
    let gateway = start(&[NO_RESCAN]);
    for number in 0..6 {
        let name = format!("2{number}-nested.wasm");
        deploy(&gateway, &name, &variant(NESTED, number));
    }
    let outcome = |line: &Value| {
        let message = line["message"].as_str()?;
        let is_one = ["plugin refused", "plugin loaded"].contains(&message);
        is_one.then(|| line["plugin"].as_str().unwrap_or_default().to_owned())
    };
    deploy(&gateway, "30-edition.wasm", &edition(7));
    wait_for_state(&gateway, "30-edition", "active");
    let lines = gateway.log().find(|line| outcome(line).is_some());
    let outcomes: Vec<_> = lines.iter().filter_map(outcome).collect();
    let refused = outcomes.iter().filter(|name| name.ends_with("nested"));
    // It came last, and they take longer. Nearly always, none of them has ended.
    assert!(refused.count() < 4, "{outcomes:?}");
    for number in 0..6 {
        wait_for_state(&gateway, &format!("2{number}-nested"), "refused");
    }
}

/// A file that cannot be used is an error at the start, whatever it does to the compiler.
#[test]
fn at_the_start_it_is_an_error_like_any_other() {
    let setup = Setup::new()
        .plugin_file("10-edition", &edition(1), "")
        .plugin_file("20-cyclic", &component(CYCLIC), "")
        .plugin_file("30-text", b"no plugin", "");
    let output = run(program().args(["serve", "--config"]).arg(setup.write()));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(
        text.contains("20-cyclic.wasm: it is nested too deep"),
        "{text}"
    );
    assert!(
        text.contains("30-text.wasm: not a WebAssembly component"),
        "{text}"
    );
    assert!(text.ends_with("2 mistakes\n"), "{text}");
}

#[test]
fn every_command_compiles_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cyclic.wasm");
    fs::write(&file, component(CYCLIC)).expect("a plugin");
    for arguments in [
        ["plugin", "inspect"].as_slice(),
        ["plugin", "bench", "--sessions=1"].as_slice(),
    ] {
        let output = run(program().args(arguments).arg(&file));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            text.contains("nested too deep"),
            "{arguments:?}: {output:?}"
        );
        assert!(output.status.code().is_some(), "{output:?}");
    }
    let config = directory.path().join("postgate.toml");
    fs::write(
        &config,
        format!("plugins.directory = {:?}", directory.path()),
    )
    .expect("a file");
    let output = run(program().args(["check", "--config"]).arg(&config));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nested too deep"), "{output:?}");
}

/// What the machine does not allow is no mistake in a file, and says what would help.
#[test]
fn limits_of_the_machine_are_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("edition.wasm");
    fs::write(&file, edition(1)).expect("a plugin");
    let table = [
        ("trap '' CHLD", 0, "events"),
        ("ulimit -d 20000", 1, "(ulimit -v, -d)"),
        ("ulimit -n 16", 1, "(ulimit -n, LimitNOFILE=)"),
    ];
    for (limit, code, sign) in table {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{limit}; exec \"$0\" plugin inspect \"$1\"")]);
        let output = run(shell.arg(program().get_program()).arg(&file));
        assert_eq!(output.status.code(), Some(code), "{limit}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        let text = format!("{text}{}", String::from_utf8_lossy(&output.stdout));
        assert!(text.contains(sign), "{limit}: {text}");
    }
}

/// A compiler that waits for its input has given up what it does not need.
#[test]
fn the_compiler_has_no_privileges() {
    let mut child = Compiler::start();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        let status = child.file("status");
        if status.contains("Seccomp:\t2") {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
        pause();
    };
    for line in [
        "NoNewPrivs:\t1",
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = child.file("limits");
    for (name, limit) in [
        ("Max data size", "268435456"),
        ("Max stack size", "8388608"),
        ("Max cpu time", "7"),
        ("Max core file size", "0"),
        ("Max file size", "0"),
        ("Max open files", "0"),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {limits}"));
        let soft = line[name.len()..].split_whitespace().next();
        assert_eq!(soft, Some(limit), "{line}");
    }
    // What the gateway had inherited is closed.
    assert_eq!(child.open_files(), ["0", "1", "2"]);
    let report = child.finish(b"no component");
    assert!(report.starts_with(b"PGCODE"), "{report:?}");
}

/// Where the kernel knows neither seccomp nor Landlock, plugins are compiled all the same.
#[test]
fn less_confinement_is_told_once() {
    // A filter holds for a thread and for what it starts.
    let started = thread::spawn(|| {
        without_confinement();
        let setup = Setup::new().set(SOCKET).set("plugins.cache = \"cache\"");
        setup.plugin_file("10-edition", &edition(1), "").start()
    });
    let gateway = started.join().expect("the gateway starts");
    deploy(&gateway, "10-edition.wasm", &edition(2));
    wait_until_told(&gateway, &says(2));
    let told = gateway.log().find(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("less confinement")
    });
    let [line] = &told[..] else {
        panic!("once: {told:?}");
    };
    assert_eq!(line["landlock"], false, "{line}");
    assert_eq!(line["seccomp"], false, "{line}");
}

/// Makes the kernel deny that it knows how to confine a process.
fn without_confinement() {
    let calls = [libc::SYS_seccomp, libc::SYS_landlock_create_ruleset];
    let architecture = ARCH.try_into().expect("an architecture of tests");
    let filter = SeccompFilter::new(
        calls.map(|call| (call, Vec::new())).into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS.unsigned_abs()),
        architecture,
    );
    let filter: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    seccompiler::apply_filter(&filter).expect("a kernel of tests knows filters");
}

/// A gateway that is gone can end nobody.
#[test]
fn a_compiler_that_nobody_waits_for_ends() {
    let mut child = Compiler::started("exec", 10);
    let _stdin = child.0.stdin.take();
    let status = child.0.wait().expect("the compiler ends");
    assert_eq!(status.code(), Some(1));
}

struct Compiler(Child);

impl Compiler {
    fn start() -> Self {
        Self::started("exec 7</etc/passwd; exec", 600_000)
    }

    /// Starts a compiler from a shell that does something before, and hands over its limits.
    fn started(before: &str, milliseconds: u64) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{before} \"$0\" compile-plugin")]);
        command.arg(program().get_program());
        // As the gateway does it: the allocator would take its first gigabyte at once.
        command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let limits = [256 << 20, 7, milliseconds].map(u64::to_be_bytes);
        let request = [b"PGFILE\0\x01".as_slice(), limits.as_flattened()].concat();
        let stdin = child.stdin.as_mut().expect("a pipe");
        stdin.write_all(&request).expect("the compiler reads");
        Self(child)
    }

    fn file(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.0.id());
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn open_files(&self) -> Vec<String> {
        let path = format!("/proc/{}/fd", self.0.id());
        let files = fs::read_dir(&path).expect("a process");
        let files = files.map(|file| file.expect("a file").file_name());
        let mut files: Vec<_> = files.filter_map(|name| name.into_string().ok()).collect();
        files.sort();
        files
    }

    fn finish(&mut self, input: &[u8]) -> Vec<u8> {
        let mut stdin = self.0.stdin.take().expect("a pipe");
        stdin.write_all(input).expect("the compiler reads");
        drop(stdin);
        let mut output = Vec::new();
        let stdout = self.0.stdout.as_mut().expect("a pipe");
        stdout
            .read_to_end(&mut output)
            .expect("the compiler writes");
        output
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // It fails if the process has already ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
