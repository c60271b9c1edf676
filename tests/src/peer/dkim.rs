//! dkimpy, which signs messages and verifies DKIM signatures (RFC 6376).

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::command::{program, run};

/// Signs the body, `From` and `To` of a message with a key that is not in DNS.
///
/// # Panics
///
/// Panics if dkimpy is not installed.
pub fn sign(key: &str, canonicalization: &str, message: &[u8]) -> Vec<u8> {
    let (answer, signature) = python(&[SIGN, key, canonicalization], message);
    assert!(answer, "dkimpy did not sign");
    [&signature, message].concat()
}

/// True if the only signature of a message is valid.
///
/// # Panics
///
/// As [`sign`].
pub fn verifies(key: &str, message: &[u8]) -> bool {
    python(&[VERIFY, key], message).0
}

/// Generates a private key in PEM, for [`sign`] and [`verifies`].
///
/// # Panics
///
/// Panics if openssl is not installed.
pub fn key() -> String {
    let output = run(program("openssl").args(["genrsa", "-traditional", "2048"]));
    assert!(output.status.success(), "openssl made no key");
    String::from_utf8(output.stdout).expect("PEM is ASCII")
}

/// Runs a script with a message as its input. Returns true if it succeeded, and its output.
fn python(arguments: &[&str], message: &[u8]) -> (bool, Vec<u8>) {
    // Another Python that precedes it in PATH lacks the packages of the distribution.
    let mut child = Command::new("/usr/bin/python3")
        .arg("-c")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian's Python starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin
        .write_all(message)
        .expect("the script takes a message");
    drop(stdin);
    let output = child.wait_with_output().expect("a child can be waited for");
    (output.status.success(), output.stdout)
}

const SIGN: &str = "
import dkim, sys
key, canonicalization = sys.argv[1].encode(), sys.argv[2].encode()
signature = dkim.sign(sys.stdin.buffer.read(), b's', b'client.example', key,
    canonicalize=(canonicalization, canonicalization), include_headers=[b'from', b'to'])
sys.stdout.buffer.write(signature)
";

const VERIFY: &str = "
import base64, dkim, subprocess, sys
public = subprocess.run(['openssl', 'rsa', '-pubout', '-outform', 'DER'],
    input=sys.argv[1].encode(), capture_output=True, check=True).stdout
record = b'v=DKIM1; k=rsa; p=' + base64.b64encode(public)
sys.exit(not dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda *_, **__: record))
";
