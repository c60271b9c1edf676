//! Python's `email`, as a reader of messages that knows nothing of ours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use super::command::program;

/// A MIME part as a reader finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MimePart {
    /// The number of parts around it.
    pub depth: usize,
    /// Whether it contains others.
    pub is_container: bool,
    /// Type and subtype in lower case.
    pub content_type: String,
    /// Whether the reader could not make sense of it.
    pub is_doubtful: bool,
    /// The content without its transfer encoding.
    pub content: Vec<u8>,
}

/// Python's `email`, as a process that reads one message after another.
pub struct MimeReader {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl MimeReader {
    /// Starts the process.
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peer/reader.py");
        let mut child = program("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            input,
            output,
        }
    }

    /// Returns the parts of a message in its order.
    pub fn read(&mut self, message: &[u8]) -> Vec<MimePart> {
        let digits: String = message.iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(self.input, "{digits}").expect("the reader reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the reader writes");
        let parts: Vec<Row> = serde_json::from_str(&line).expect("a list of parts");
        let part = |(depth, is_container, content_type, is_doubtful, digits): Row| MimePart {
            depth,
            is_container,
            content_type,
            is_doubtful,
            content: octets(&digits),
        };
        parts.into_iter().map(part).collect()
    }
}

impl Drop for MimeReader {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A part as the process writes it.
type Row = (usize, bool, String, bool, String);

/// Octets from their hexadecimal digits.
///
/// # Panics
///
/// Panics if the text is something else.
pub fn octets(digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes().chunks(2);
    let pairs = digits.map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits"))
        .collect()
}
