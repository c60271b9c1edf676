//! Tests of the whole plugin, with the stand-in for the host.

use postgate_plugin::testing::{self, Message, Session};

use super::*;

const EXAMPLE: &str = include_str!("../example.toml");

/// A plugin with the `[config]` table of a sidecar file.
fn rules(sidecar: &str) -> Result<HeaderRules, String> {
    let sidecar: toml::Table = sidecar.parse().unwrap();
    testing::plugin(&serde_json::to_string(&sidecar["config"]).unwrap())
}

/// A message that no rule of the example applies to.
fn harmless() -> Message {
    Message::new()
        .header("From", "a@example.org")
        .header("Message-ID", "<1@example.org>")
}

fn answer(sidecar: &str, message: Message) -> HeadersAnswer {
    Session::new().install();
    message.install();
    rules(sidecar).unwrap().on_headers()
}

#[test]
fn nothing_configured_changes_nothing() {
    harmless().install();
    let mut rules: HeaderRules = testing::plugin("{}").unwrap();
    assert_eq!(rules.on_headers(), HeadersAnswer::next());
}

#[test]
fn the_example_does_what_it_says() {
    let next = HeadersAnswer::next;
    let table = [
        (harmless(), next()),
        (
            harmless()
                .header("X-Internal-Route", "a")
                .header("x-internal-route", "b"),
            next()
                .remove_header("X-Internal-Route", 1)
                .remove_header("X-Internal-Route", 0),
        ),
        (
            harmless().header("Subject", "[External] hello"),
            next().replace_header("Subject", 0, "[external] see the notice below"),
        ),
        (
            harmless().header("List-Id", "Talk <talk.Lists.example.org>"),
            next().append_header("X-List", "ours"),
        ),
        (
            harmless()
                .header("X-Spam-Flag", "no")
                .header("X-Spam-Flag", "YES"),
            next().prepend_header("X-Folder", "Junk"),
        ),
        (
            harmless().header("Content-Type", "text/plain;\r\n charset=windows-1251"),
            next().tag("charset", "windows-1251"),
        ),
        (
            Message::new().header("From", "a@example.org"),
            next().tag("message-id", "absent"),
        ),
    ];
    for (message, expected) in table {
        assert_eq!(answer(EXAMPLE, message.clone()), expected, "{message:?}");
    }
}

#[test]
fn the_example_refuses() {
    let table = [
        (
            harmless().header("Subject", "Win the LOTTERY now"),
            ("550 5.7.1 no lotteries here", "no lottery"),
        ),
        (
            harmless().header("Subject", "=?utf-8?B?bG90dGVyeQ==?="),
            ("550 5.7.1 no lotteries here", "no lottery"),
        ),
        (
            harmless().header("from", "b@example.org"),
            ("550 5.7.1 a message has one From field", "rules[1]"),
        ),
    ];
    for (message, (reply, reason)) in table {
        let refusal = answer(EXAMPLE, message).refusal().unwrap();
        assert_eq!(
            (&*refusal.to_string(), refusal.reason()),
            (reply, Some(reason))
        );
    }
}

/// A charset or an octet that the plugin does not know would evade every rule about the text.
#[test]
fn a_value_that_cannot_be_read_can_be_refused() {
    let sidecar = r#"
        [[config.rules]]
        header = "Subject"
        match = "unreadable"
        action = { refuse = { text = "the subject cannot be read" } }
    "#;
    let table: [(&[u8], bool); 5] = [
        (b"=?utf-8?q?caf=C3=A9?=", false),
        (b"=?ebcdic-us?b?k5ajo4WZqA==?=", true),
        (b"=?utf-8?q?lot=FFtery?=", true),
        (b"lot\xfftery", true),
        (b"lot\0tery", true),
    ];
    for (subject, expected) in table {
        let answer = answer(sidecar, harmless().header("Subject", subject));
        assert_eq!(
            answer.refusal().is_some(),
            expected,
            "{}",
            subject.escape_ascii()
        );
    }
}

#[test]
fn a_rule_sees_what_those_before_it_did() {
    let sidecar = r#"
        [config]
        rules = [
            { header = "A", match = "present", action = "remove" },
            { header = "A", match = "absent", action = { prepend = { name = "B", value = "1" } } },
            { header = "B", match = { equals = "1" }, action = { replace = "2" } },
            { header = "B", match = { equals = "1" }, action = { refuse = { text = "no" } } },
            { header = "B", match = { at-least = 2 }, action = { tag = { name = "b", value = "2" } } },
        ]
    "#;
    let message = Message::new().header("A", "x").header("B", "3");
    let expected = HeadersAnswer::next()
        .remove_header("A", 0)
        .prepend_header("B", "1")
        .replace_header("B", 0, "2")
        .tag("b", "2");
    assert_eq!(answer(sidecar, message), expected);
}

#[test]
fn a_refusal_wins_at_its_place() {
    let sidecar = r#"
        [config]
        rules = [
            { header = "A", match = "present", action = "remove" },
            { header = "B", match = "present", action = { refuse = { code = 450, text = "B" } } },
            { header = "C", match = "present", action = { refuse = { text = "C" } } },
        ]
    "#;
    let message = Message::new()
        .header("A", "")
        .header("C", "")
        .header("B", "");
    let answer = answer(sidecar, message);
    assert_eq!(answer.refusal().unwrap().to_string(), "450 4.7.1 B");
    assert_eq!(answer.edits(), []);
}

#[test]
fn mistakes_name_their_place() {
    let rule = |rest: &str| format!("[[config.rules]]\nheader = 'A'\n{rest}");
    let table = [
        (
            "[config]\nrule = []".into(),
            "rule: unknown field `rule`, expected `rules`",
        ),
        (
            "[[config.rules]]\nheader = 'A B'\nmatch = 'absent'\naction = 'remove'".into(),
            "rules[0].header: \"A B\" is no name of a header field",
        ),
        (
            rule("match = { contain = 'x' }\naction = 'remove'"),
            "rules[0].match: unknown variant `contain`, expected one of `absent`, \
             `at-least`, `contains`, `equals`, `glob`, `prefix`, `present`, `suffix`, `unreadable`",
        ),
        (
            rule("match = 'absent'\naction = 'remove'"),
            "rules[0]: a field that is absent cannot be removed",
        ),
        (
            rule("match = 'absent'\naction = { replace = 'x' }"),
            "rules[0]: a field that is absent cannot be replaced; prepend or append it",
        ),
        (
            rule("match = { at-least = 0 }\naction = 'remove'"),
            "rules[0]: at-least: every message has at least 0 fields",
        ),
        (
            rule("match = 'present'\naction = { refuse = { code = 250, text = 'x' } }"),
            "rules[0].action.refuse: reply code 250 does not refuse",
        ),
        (
            rule(
                "match = 'present'\naction = { refuse = { code = 450, enhanced = '5.7.1', text = 'x' } }",
            ),
            "rules[0].action.refuse: enhanced code 5.7.1 does not go with reply code 450",
        ),
    ];
    for (sidecar, expected) in table {
        assert_eq!(rules(&sidecar).map(|_| ()), Err(expected.to_owned()));
    }
}
