//! `postgate user`: the file of users, kept by the program.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use postgate_tests::gateway::program;
use tempfile::TempDir;

/// Runs `postgate user ARGUMENTS --file FILE` with this on standard input.
fn user(file: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = program()
        .arg("user")
        .args(arguments)
        .arg("--file")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // A program that needs no input may be gone already.
    _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let code = output.status.code().expect("an exit code");
    (code, text(&output.stdout), text(&output.stderr))
}

#[test]
fn users_are_added_listed_changed_and_removed() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users");
    let add = [
        "add",
        "alice@example.org",
        "--password-stdin",
        "--sender",
        "sales@example.org",
        "--act-as",
        "office",
    ];
    let (code, _, error) = said(&user(&file, &add, "pencil\n"));
    assert_eq!((code, error.as_str()), (0, ""));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fs::read_to_string(&file).unwrap();
    assert!(!first.contains("pencil"));
    for scheme in [
        "{ARGON2ID}$argon2id$v=19$m=7168,t=5,p=1$",
        "{SCRAM-SHA-256}",
    ] {
        assert!(first.contains(scheme), "{first}");
    }

    // What an operator wrote stays, and so do the file's permissions.
    fs::write(&file, format!("# people\n{first}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let output = user(
        &file,
        &["passwd", "alice@example.org", "--password-stdin"],
        "pen\n",
    );
    assert_eq!(said(&output).0, 0, "{output:?}");
    assert!(
        said(&output)
            .2
            .contains("users: its group can read the secrets; ")
    );
    let second = fs::read_to_string(&file).unwrap();
    assert!(second.starts_with("# people\nalice@example.org:{ARGON2ID}"));
    assert!(second.ends_with(":sender=sales@example.org act-as=office\n"));
    assert!(!second.contains(&first));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );

    let (code, listed, _) = said(&user(&file, &["list"], ""));
    assert_eq!(code, 0);
    assert_eq!(
        listed,
        "alice@example.org sender=sales@example.org act-as=office\n"
    );

    assert_eq!(
        said(&user(&file, &["remove", "alice@example.org"], "")).0,
        0
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "# people\n");
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn mistakes_name_the_file_and_the_remedy() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users");
    let shown = file.display().to_string();
    let (code, _, error) = said(&user(&file, &["list"], ""));
    assert_eq!(code, 1);
    assert!(
        error.contains(&shown) && error.contains("postgate user add"),
        "{error}"
    );

    let add =
        |name: &str, input: &str| said(&user(&file, &["add", name, "--password-stdin"], input));
    for (name, input) in [
        ("Alice", "x\n"),
        ("a b", "x\n"),
        ("a:b", "x\n"),
        ("alice", "\n"),
    ] {
        let (code, _, error) = add(name, input);
        assert_eq!(code, 64, "{name}: {error}");
        assert!(!file.exists());
    }
    assert_eq!(add("alice", "x\n").0, 0);
    let (code, _, error) = add("alice", "x\n");
    assert_eq!(code, 64);
    let remedy = format!("{shown}:1: alice is there already");
    assert!(
        error.contains(&remedy) && error.contains("user passwd"),
        "{error}"
    );

    let (code, _, error) = said(&user(&file, &["remove", "bob"], ""));
    assert_eq!(code, 64);
    assert!(error.contains("there is no user bob"), "{error}");
    for command in ["remove", "passwd"] {
        let arguments = [command, "Alice"];
        let (code, _, error) = said(&user(&file, &arguments, ""));
        assert_eq!(code, 64);
        assert!(error.contains("written in lower case"), "{error}");
    }

    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("bob:hunter2\n{text}")).unwrap();
    let (code, listed, error) = said(&user(&file, &["list"], ""));
    assert_eq!((code, listed.as_str()), (64, "alice\n"));
    assert!(error.contains(&format!("{shown}:1: ")), "{error}");
    assert!(!error.contains("hunter2"));
}

/// Without a terminal there is nobody to ask.
#[test]
fn a_password_is_not_awaited_where_nobody_can_type_it() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users");
    let output = std::process::Command::new("setsid")
        .arg("--wait")
        .arg(program().get_program())
        .args(["user", "add", "alice", "--file"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .expect("setsid is there");
    let (code, _, error) = said(&output);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("--password-stdin"), "{error}");
    assert!(!file.exists());
}

#[test]
fn users_that_are_added_at_the_same_time_are_all_there() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("users");
    let names: Vec<_> = (0..8).map(|number| format!("user-{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let add = ["add", name, "--password-stdin"];
            let file = &file;
            scope.spawn(move || assert_eq!(said(&user(file, &add, "pencil\n")).0, 0));
        }
    });
    let (_, listed, _) = said(&user(&file, &["list"], ""));
    let mut listed: Vec<_> = listed.lines().collect();
    listed.sort_unstable();
    assert_eq!(listed, names);
}
