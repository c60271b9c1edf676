//! Which part of the host may name which: the direction of its dependencies.

use std::fs;
use std::path::{Path, PathBuf};

use postgate_tests::gateway::repository;

/// Files that begin with one of these paths never name one of these words.
struct Rule {
    because: &'static str,
    files: &'static [&'static str],
    never: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        because: "protocol code does no input or output, and has no clock",
        files: &["proto/src"],
        never: &[
            "tokio",
            "tracing",
            "serde",
            "async",
            "await",
            "TcpStream",
            "UnixStream",
            "Instant",
            "SystemTime",
            "std::fs",
            "std::env",
            "std::io",
            "std::thread",
            "println",
            "eprintln",
        ],
    },
    Rule {
        because: "only the plugin runtime knows the WebAssembly engine and the generated types",
        files: &[
            "gateway/src/admission",
            "gateway/src/arrival",
            "gateway/src/attempts",
            "gateway/src/config",
            "gateway/src/connection",
            "gateway/src/control",
            "gateway/src/controller",
            "gateway/src/delivery",
            "gateway/src/desk",
            "gateway/src/dns",
            "gateway/src/door",
            "gateway/src/plugin/pipeline",
            "gateway/src/server",
            "gateway/src/spool",
            "gateway/src/submission",
            "gateway/src/tls",
        ],
        never: &["wasmtime", "wit_component", "bindings"],
    },
    Rule {
        because: "plugins decide; they know nothing of sockets and backends",
        files: &["gateway/src/plugin"],
        never: &[
            "crate::delivery",
            "crate::desk",
            "crate::door",
            "crate::server",
            "crate::connection",
            "crate::control",
            "crate::controller",
            "crate::cli",
        ],
    },
    Rule {
        because: "certificates are checked and shown; what a session is about is not their business",
        files: &["gateway/src/tls"],
        never: &[
            "crate::delivery",
            "crate::desk",
            "crate::door",
            "crate::server",
            "crate::connection",
            "crate::cli",
        ],
    },
    Rule {
        because: "delivery carries out; it asks nobody",
        files: &["gateway/src/delivery"],
        never: &[
            "crate::plugin",
            "crate::server",
            "crate::connection",
            "crate::cli",
        ],
    },
    Rule {
        because: "the configuration is read at the edge, and typed from there on",
        files: &[
            "gateway/src/server",
            "gateway/src/connection",
            "gateway/src/delivery",
            "gateway/src/plugin/pipeline",
        ],
        never: &["toml", "serde_ignored", "std::env"],
    },
    Rule {
        because: "the configuration depends on no part that it configures",
        files: &["gateway/src/config"],
        never: &[
            "crate::plugin",
            "crate::delivery",
            "crate::server",
            "crate::connection",
            "crate::cli",
        ],
    },
    Rule {
        because: "only the program itself has a command line and says how the log looks",
        files: &[
            "gateway/src/lib.rs",
            "gateway/src/server",
            "gateway/src/connection",
            "gateway/src/control",
            "gateway/src/controller",
            "gateway/src/delivery",
            "gateway/src/config",
            "gateway/src/plugin",
            "gateway/src/spool",
        ],
        never: &[
            "clap",
            "crate::cli",
            "crate::telemetry",
            "tracing_subscriber",
        ],
    },
];

#[test]
fn dependencies_point_one_way() {
    let sources = sources();
    let mut breaches = Vec::new();
    for rule in RULES {
        for prefix in rule.files {
            let governed = sources.iter().filter(|source| source.is_below(prefix));
            let mut is_used = false;
            for source in governed {
                is_used = true;
                breaches.extend(source.breaches(rule));
            }
            assert!(
                is_used,
                "no file is below host/{prefix}: the rule is out of date"
            );
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// What guests answer is converted in one file, and what they call is in one folder.
#[test]
fn generated_and_protocol_types_meet_at_two_doors() {
    let sources = sources();
    let meets = |source: &&Source| source.names("bindings") && source.names("postgate_proto");
    let is_door = |source: &&Source| {
        source.is_below("gateway/src/plugin/convert") || source.is_below("gateway/src/plugin/host")
    };
    let (doors, others): (Vec<_>, Vec<_>) = sources.iter().filter(meets).partition(is_door);
    let others: Vec<_> = others.iter().map(|source| &source.path).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!doors.is_empty(), "the rule is out of date");
}

#[test]
fn a_word_is_found_as_a_word_and_not_in_comments() {
    let source = Source {
        path: "x.rs".into(),
        code: code_of(
            "//! tokio\nuse tokio_util::x; // serde\nlet s = \"async\";\nstd::io::stdin();",
        ),
    };
    let table = [
        ("tokio", false),
        ("tokio_util", true),
        ("serde", false),
        ("std::io", true),
    ];
    for (word, expected) in table {
        assert_eq!(source.names(word), expected, "{word}");
    }
    let grouped = Source {
        path: "x.rs".into(),
        code: code_of(
            "use crate::{\n    config, delivery::{self, Maildir},\n};\n#[cfg(test)]\nfn f() { std::io::x() }\n\
             #[cfg(test)]\nmod tests {\n    use crate::plugin;\n}",
        ),
    };
    for (word, expected) in [
        ("crate::config", true),
        ("crate::delivery", true),
        ("std::io", true),
        ("crate::plugin", false),
    ] {
        assert_eq!(grouped.names(word), expected, "{word}");
    }
}

/// A source file, without its comments.
struct Source {
    path: PathBuf,
    code: String,
}

impl Source {
    fn is_below(&self, prefix: &str) -> bool {
        let path = self.path.to_string_lossy();
        path.strip_prefix(prefix).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(['/', '.']) || prefix.ends_with(".rs")
        })
    }

    fn breaches(&self, rule: &Rule) -> Vec<String> {
        let named = rule.never.iter().filter(|word| self.names(word));
        let breach = |word| format!("host/{}: {word}, but {}", self.path.display(), rule.because);
        named.map(breach).collect()
    }

    fn names(&self, word: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        self.code.match_indices(word).any(|(at, _)| {
            let before = self.code[..at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
    }
}

fn sources() -> Vec<Source> {
    let host = repository().join("host");
    let mut sources = Vec::new();
    for source in ["proto/src", "gateway/src"] {
        collect(&host, &host.join(source), &mut sources);
    }
    sources
}

fn collect(host: &Path, directory: &Path, sources: &mut Vec<Source>) {
    let entries = fs::read_dir(directory).expect("the sources can be listed");
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            collect(host, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
        {
            let text = fs::read_to_string(&path).expect("a source can be read");
            sources.push(Source {
                path: path
                    .strip_prefix(host)
                    .expect("a path below host")
                    .to_owned(),
                code: code_of(&text),
            });
        }
    }
}

/// The code without comments, and without the tests at the end of a file, which may do as they like.
/// `use crate::{a, b}` is written out, so that it is found as well.
fn code_of(text: &str) -> String {
    let tests = "#[cfg(test)]\nmod tests {";
    let code = text.split(tests).next().unwrap_or_default();
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let groups = code.split("use crate::{").skip(1);
    let groups = groups.filter_map(|group| group.split_once("};"));
    let names = groups.flat_map(|(group, _)| group.split([',', '{', '}']));
    let names: Vec<_> = names
        .map(|name| format!("crate::{}", name.trim()))
        .collect();
    format!("{code}\n{}", names.join("\n"))
}
