//! Secrets of this crate and of other programs.

use super::*;
use crate::secret::work::take_work;
use crate::{User, verify};

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

/// Created by `doveadm pw -p pencil`.
const OF_DOVECOT: [&str; 3] = [
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$qqEYEzmJTDH250Zx1GdPfA$7/XdNZxh5mFp9371YYC5WnubyDcX5dlQCYk9IilK7f4",
    "{BLF-CRYPT}$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK",
    "{SCRAM-SHA-256}4096,x0P5V4xrrdLPqTUMc5/bfw==,s7ikRvcSZTd1tTTsXmf+bS3qFPuGsW+pSkiwxvQJElo=,tsodOF1g5mQp+jdF/Tcgfbdq/lEoQVKraEVvzGQ9iWg=",
];

#[test]
fn secrets_of_dovecot_work() {
    for text in OF_DOVECOT {
        let secret: Secret = text.parse().unwrap();
        assert_eq!(secret.verify("pencil"), Ok(true), "{text}");
        assert_eq!(secret.verify("pencils"), Ok(false), "{text}");
        assert_eq!(secret.verify(""), Ok(false), "{text}");
        assert_eq!(secret.to_string(), text);
        assert!(!format!("{secret:?}").contains('$'));
    }
}

/// Salt and iterations of RFC 7677 §3, with keys that another program has computed.
#[test]
fn keys_are_those_of_the_rfc() {
    let expected = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let salt = b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
    let cost = Cost {
        iterations: 4_096,
        ..Cost::DEFAULT
    };
    assert_eq!(
        Secret::scram(&password("pencil"), *salt, cost).to_string(),
        expected
    );
}

#[test]
fn new_secrets_fit_their_password_only() {
    let hash = Secret::argon2id(&password("pass wörd"), [7; 16], Cost::DEFAULT).unwrap();
    let scram = Secret::scram(&password("pass wörd"), [7; 16], Cost::DEFAULT);
    for secret in [hash, scram] {
        let read: Secret = secret.to_string().parse().unwrap();
        assert_eq!(read, secret);
        // The accent as a combining character.
        assert_eq!(secret.verify("pass wo\u{308}rd"), Ok(true));
        assert_eq!(secret.verify("pass word"), Ok(false));
    }
}

/// Created by `crypt(3)` without SASLprep, from a password that SASLprep changes.
const RAW: &str = "$2y$05$rRUTOHWSEcs7RJK0ISopMuLJxy5btWr0wV0m.UA4WgGXsVGCGgNzq";

#[test]
fn hashes_of_passwords_that_nobody_prepared_work() {
    let argon2id = argon2id::Hash::new("pass①".as_bytes(), [1; 16], CHEAP).unwrap();
    for secret in [RAW.parse().unwrap(), Secret::Argon2id(argon2id)] {
        assert_eq!(secret.verify("pass①"), Ok(true), "{secret}");
        assert_eq!(secret.verify("pass1"), Ok(false), "{secret}");
        assert_eq!(secret.verify("pass②"), Ok(false), "{secret}");
    }
    let prepared = Secret::argon2id(&password("pass①"), [1; 16], CHEAP).unwrap();
    assert_eq!(prepared.verify("pass①"), Ok(true));
    assert_eq!(prepared.verify("pass1"), Ok(true));
}

/// The work is the same for known users, unknown users and right passwords.
#[test]
fn the_work_says_nothing_about_users() {
    let alice = Secret::argon2id(&password("pass①"), [1; 16], CHEAP).unwrap();
    let decoy = Secret::argon2id(&password("other"), [2; 16], CHEAP).unwrap();
    let raw = |text: &str| text.parse::<Secret>().unwrap();
    let scram = |salt| Secret::scram(&password("pass①"), [salt; 16], CHEAP);
    let table = [
        (alice, decoy, "argon2id 64 1", 2),
        (raw(RAW), raw(OF_DOVECOT[1]), "bcrypt 5", 2),
        (scram(1), scram(2), "scram 4096", 1),
    ];
    for (own, decoy, work, of_odd) in table {
        let user = User::parse(&format!("alice:{own}")).unwrap();
        for (password, times) in [("pass①", of_odd), ("pass②", of_odd), ("pencil", 1)] {
            for user in [Some(&user), None] {
                take_work();
                let fits = verify(user, &decoy, password).unwrap();
                assert_eq!(fits, user.is_some() && password == "pass①");
                assert_eq!(take_work(), vec![work; times], "{user:?} {password}");
            }
        }
    }
}

const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    iterations: 4_096,
};

#[test]
fn nothing_fits_a_decoy() {
    assert_eq!(Secret::decoy().verify(""), Ok(false));
    assert_eq!(Secret::decoy().verify("pencil"), Ok(false));
}

#[test]
fn a_hash_that_needs_too_much_memory_says_so() {
    let text = OF_DOVECOT[0].replace("m=65536", "m=4294967295");
    let secret: Result<Secret, _> = text.parse();
    // 4 TiB: either the cost is invalid, or the allocation fails.
    if let Ok(secret) = secret {
        assert_eq!(secret.verify("x"), Err(CannotVerify(u32::MAX)));
    }
}

#[test]
fn garbled_secrets_are_none() {
    let [argon2id, bcrypt, scram] = OF_DOVECOT;
    let table = [
        ("", SecretError::Scheme),
        ("hunter2", SecretError::Scheme),
        ("{SHA512}x", SecretError::Scheme),
        ("{ARGON2ID}", SecretError::Garbled(ARGON2ID)),
        ("$argon2id$v=19$m=1", SecretError::Garbled(ARGON2ID)),
        ("$2y$", SecretError::Garbled(BCRYPT)),
        ("{SCRAM-SHA-256}4096", SecretError::Garbled(SCRAM)),
        (
            &argon2id[..argon2id.len() - 30],
            SecretError::Garbled(ARGON2ID),
        ),
        (
            &argon2id.replace("t=3", "t=0"),
            SecretError::Garbled(ARGON2ID),
        ),
        (&bcrypt[..bcrypt.len() - 1], SecretError::Garbled(BCRYPT)),
        (
            &bcrypt.replace("$05$", "$03$"),
            SecretError::Garbled(BCRYPT),
        ),
        (&scram.replace("4096", "4095"), SecretError::Garbled(SCRAM)),
        (
            &scram.replace("4096", "1000001"),
            SecretError::Garbled(SCRAM),
        ),
        (&format!("{scram},AA=="), SecretError::Garbled(SCRAM)),
    ];
    for (text, expected) in table {
        assert_eq!(text.parse::<Secret>(), Err(expected), "{text}");
    }
}

/// Secrets of the empty password, as another program or an older file may have them.
#[test]
fn the_empty_password_fits_nothing() {
    let argon2id = argon2id::Hash::new(b"", [1; 16], CHEAP).unwrap();
    let keys = ScramKeys::new(b"", vec![1; 16], CHEAP.iterations);
    assert!(keys.are_of_empty_password());
    for secret in [Secret::Argon2id(argon2id), Secret::Scram(keys)] {
        for text in ["", "\u{ad}", "\u{200b}\u{2060}"] {
            assert_eq!(secret.verify(text), Ok(false), "{secret} {text:?}");
        }
    }
    // A hash of exactly these characters, which nobody has prepared.
    let raw = argon2id::Hash::new("\u{ad}".as_bytes(), [1; 16], CHEAP).unwrap();
    assert_eq!(Secret::Argon2id(raw).verify("\u{ad}"), Ok(false));
    let Secret::Scram(keys) = Secret::scram(&password("x"), [1; 16], CHEAP) else {
        panic!("these are keys");
    };
    assert!(!keys.are_of_empty_password());
}

#[test]
fn what_costs_too_much_is_known_by_its_parameters() {
    let budget = Budget {
        memory: 24 << 10,
        work: 16,
    };
    let argon2id = |memory, passes| {
        let cost = Cost {
            memory,
            passes,
            ..CHEAP
        };
        Secret::Argon2id(argon2id::Hash::decoy(cost))
    };
    let bcrypt = |cost: &str| {
        let text = "$2y$05$rRUTOHWSEcs7RJK0ISopMukiht7IBQ6fkmdA8W5XQdHOG/5sZYAeK";
        text.replace("$05$", cost).parse::<Secret>().unwrap()
    };
    let scram = |iterations| {
        let keys = ScramKeys::new(b"x", vec![1; 16], 4_096);
        Secret::Scram(ScramKeys { iterations, ..keys })
    };
    let too_large = |needed| TooCostly::Memory {
        needed,
        allowed: 24 << 10,
    };
    let too_long = |needed| TooCostly::Work {
        needed,
        allowed: 16,
    };
    let table = [
        (Secret::decoy(), Ok(())),
        (argon2id(19_456, 2), Ok(())),
        (argon2id(24 << 10, 20), Ok(())),
        (argon2id(24 << 10, 24), Err(too_long(17))),
        (argon2id((24 << 10) + 1, 1), Err(too_large((24 << 10) + 1))),
        (argon2id(4_194_303, 1), Err(too_large(4_194_303))),
        (argon2id(8, 4_294_967_295), Err(too_long(958_699))),
        (bcrypt("$05$"), Ok(())),
        (bcrypt("$12$"), Ok(())),
        (bcrypt("$13$"), Err(too_long(24))),
        (bcrypt("$31$"), Err(too_long(6_291_456))),
        (scram(600_000), Ok(())),
        (scram(800_000), Ok(())),
        (scram(1_000_000), Err(too_long(20))),
    ];
    _ = take_work();
    for (secret, expected) in table {
        assert_eq!(secret.check_cost(budget), expected, "{secret}");
    }
    assert!(take_work().is_empty());
}
