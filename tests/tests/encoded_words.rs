//! Header fields as Python's `email` package encodes and decodes them, to the rules of `header-rules`.

use postgate_tests::client::Client;
use postgate_tests::gateway::{Setup, repository};
use postgate_tests::peer::{program, run};

/// For each text, a rule in plain words; then fields that Python has encoded, or decodes, as that text.
#[test]
fn a_rule_matches_what_python_reads() {
    let script = repository().join("tests/tests/clients/encoded.py");
    let output = run(program("python3").arg(script));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let cases: Vec<(String, String)> = serde_json::from_slice(&output.stdout).expect("pairs");
    assert!(cases.len() > 100, "{} cases", cases.len());
    let mut texts: Vec<_> = cases.iter().map(|(text, _)| text).collect();
    texts.sort();
    texts.dedup();
    let rules = texts.iter().enumerate().map(|(number, text)| {
        let text = toml::Value::from(text.as_str());
        format!(
            "[[config.rules]]\nheader = \"Subject\"\nmatch = {{ equals = {text} }}\n\
             action = {{ refuse = {{ text = \"text {number}.\" }} }}\n"
        )
    });
    let sidecar: String = rules.collect();
    let gateway = Setup::new()
        .set("limits.refusals = 0")
        .plugin("20-header-rules", "header-rules", &sidecar)
        .start();
    let mut client = Client::greeted(gateway.address());
    let mut mismatches = Vec::new();
    for (text, field) in &cases {
        client.envelope("alice@client.example", &["bob@example.org"]);
        let message = format!("Subject: {field}\r\n\r\nhello\r\n");
        let reply = client.message(message.as_bytes()).to_string();
        let number = texts.binary_search(&text).expect("a rule for each text");
        if !reply.contains(&format!("text {number}.")) {
            mismatches.push(format!("{text:?} as {field:?}: {reply}"));
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
}
