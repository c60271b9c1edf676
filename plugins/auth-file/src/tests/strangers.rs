//! Strangers look like the users who can log in, whatever else the file holds and wherever.

use std::collections::BTreeMap;

use super::*;

const BCRYPT: &str = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";

/// Of 400 strangers, how many have a secret of each kind.
fn kinds() -> BTreeMap<&'static str, usize> {
    let directory = directory();
    let mut counts = BTreeMap::new();
    for number in 0..400 {
        let name = format!("stranger{number}");
        let decoy = directory.decoy(&name).unwrap();
        assert_eq!(directory.decoy(&name.to_uppercase()), Ok(decoy.clone()));
        *counts.entry(kind_of(&decoy)).or_insert(0) += 1;
    }
    counts
}

/// Of 400 strangers, how many are shown each number of iterations.
fn iterations() -> BTreeMap<u32, usize> {
    let mut plugin = plugin("{}");
    let mut counts = BTreeMap::new();
    for number in 0..400 {
        let shown = plugin.on_auth_keys(&format!("stranger{number}")).unwrap();
        *counts.entry(shown.iterations).or_insert(0) += 1;
    }
    counts
}

fn keys(iterations: u32) -> Secret {
    let cost = Cost {
        iterations: 4_096,
        ..Cost::DEFAULT
    };
    let Secret::Scram(keys) = Secret::scram(&pencil(), [2; 16], cost) else {
        panic!("these are keys");
    };
    Secret::Scram(UserKeys { iterations, ..keys })
}

/// Two users of two kinds, with what has no effect between them: half of the strangers are like each.
#[test]
fn what_is_no_user_has_no_weight() {
    let argon2id = alice().split([':', ' ']).nth(1).unwrap().to_owned();
    let first = format!("first:{argon2id}\n");
    let last = format!("last:{BCRYPT}\n");
    let comments = format!("# {}\n", "x".repeat(80)).repeat(100);
    let comment = format!("# {}\n", "x:".repeat(200_000));
    let garbled = (0..200).map(|number| format!("user{number}:{{BLF-CRYPT}}garbled\n"));
    let garbled: String = garbled.collect();
    let costly = BCRYPT.replace("$05$", "$31$");
    let twice = |first: &str| {
        let lines = (0..100).map(|number| format!("user{number}:{first}\nuser{number}:{BCRYPT}\n"));
        lines.collect::<String>()
    };
    for between in [
        String::new(),
        comments,
        comment,
        garbled,
        "\r\n".repeat(5_000),
        first.repeat(50),
        format!("first:{BCRYPT}\n").repeat(50),
        twice("garbled"),
        twice(&costly),
        format!("long:{BCRYPT}:{}\nlong:{BCRYPT}\n", " ".repeat(65_536)),
        format!("First:{BCRYPT}\nfi\u{ad}rst:{BCRYPT}\n"),
    ] {
        for (first, last) in [(&first, &last), (&last, &first)] {
            // A duplicate has an effect in front of its user.
            if between.contains("first:") && !first.starts_with("first:") {
                continue;
            }
            users(&format!("{first}{between}{last}"));
            let counts = kinds();
            let start: String = between.chars().take(60).collect();
            assert!(
                (150..250).contains(&counts["argon2id"]) && (150..250).contains(&counts["bcrypt"]),
                "{counts:?} {start:?}"
            );
        }
    }
}

#[test]
fn keys_do_not_depend_on_the_place_of_their_user() {
    let first = format!("first:{}\n", keys(100_000));
    let last = format!("last:{}\n", keys(4_096));
    let comments = format!("# {}\n", "x".repeat(80)).repeat(1_000);
    // Users without keys, of whom one has some in a line that has no effect.
    let others = (0..500).map(|number| format!("user{number}:{BCRYPT}\n"));
    let others: String = others.collect();
    let duplicate = format!("{others}user7:{}\n", keys(20_000));
    for between in [String::new(), comments, others, first.repeat(20), duplicate] {
        users(&format!("{first}{between}{last}"));
        let counts = iterations();
        assert_eq!(counts.len(), 2, "{counts:?}");
        assert!((150..250).contains(&counts[&4_096]), "{counts:?}");
    }
}

/// Each of a few users is the model of as many strangers, and a change at one place of the file leaves
/// most of them as they were.
#[test]
fn all_users_are_models() {
    let line = |number: u32| format!("user{number}:{}\n", keys(5_000 + number));
    let all: String = (0..10).map(line).collect();
    users(&all);
    let counts = iterations();
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(counts.values().all(|count| (15..75).contains(count)));
    let shown = |plugin: &mut AuthFile| {
        let names = (0..100).map(|number| format!("stranger{number}"));
        let keys = names.map(|name| plugin.on_auth_keys(&name).unwrap().iterations);
        keys.collect::<Vec<_>>()
    };
    let before = shown(&mut plugin("{}"));
    users(&format!("# a comment\n{}{all}", line(10)));
    let after = shown(&mut plugin("{}"));
    let kept = before.iter().zip(&after).filter(|(old, new)| old == new);
    assert!(kept.count() > 70);
}

/// The only user with keys among many is found wherever it is.
#[test]
fn large_files_are_searched_as_a_whole() {
    let lines = (0..20_000).map(|number| format!("user{number}@example.org:{BCRYPT}\n"));
    let lines: String = lines.collect();
    users(&format!("{lines}{}", alice()));
    let mut plugin = plugin("{}");
    for number in 0..20 {
        let shown = plugin.on_auth_keys(&format!("stranger{number}")).unwrap();
        assert_eq!(shown.iterations, 4_096);
    }
}

/// A comment of any length is one line, and no part of it is a user.
#[test]
fn a_long_comment_is_one_line() {
    Session::new().install();
    let comment = format!("#{}\neve:{BCRYPT}", "x".repeat(262_143 - 1));
    let comment = comment.replace('\n', "y");
    let piece = format!("# {}\u{e9}", "x".repeat(600_000));
    users(&format!("{comment}\n{piece}\n{}garbled\n", alice()));
    assert_eq!(directory().check(), Ok(1));
    let logs = testing::logs();
    let warnings = logs.iter().filter(|(level, _)| *level == Level::Warn);
    let warnings: Vec<_> = warnings.map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        warnings,
        ["file \"users\", line 4: a line is NAME:SECRETS or NAME:SECRETS:OPTIONS"]
    );
    let long = format!("eve:{BCRYPT}:{}\n", " sender=a@b".repeat(30_000));
    Session::new().install();
    users(&format!("{long}{}", alice()));
    assert_eq!(directory().check(), Ok(1));
    let logs = testing::logs();
    assert_eq!(
        logs[0].1,
        "file \"users\", line 1: a line has at most 65,536 octets"
    );
}

/// The line that takes longest is told, so that the operator can compare it with the limits.
#[test]
fn the_costliest_line_is_told() {
    Session::new().install();
    let costly = BCRYPT.replace("$05$", "$12$");
    users(&format!("{}dave:{BCRYPT}\neve:{costly}\n", alice()));
    assert_eq!(directory().check(), Ok(3));
    let logs = testing::logs();
    let told = "file \"users\", line 3: no secret takes longer; a login needs up to ";
    assert!(
        logs.iter()
            .any(|(level, text)| *level == Level::Info && text.starts_with(told))
    );
}
