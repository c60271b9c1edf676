//! Knows one user by all that can be presented: `bob`, with the password `pencil` and the token
//! `good-token`. A password that is a reply code asks for that refusal, and `trap` for a trap.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use postgate_plugin::prelude::*;

#[derive(Default)]
struct Logins;

impl OnAuth for Logins {
    fn on_auth(&mut self, credentials: &Credentials) -> AuthAnswer {
        let is_right = match &credentials.proof {
            Proof::Password(password) => match password.as_str() {
                "trap" => panic!("this plugin was asked to trap"),
                "432" => return refuse(432, "4.7.12", "a password transition is needed"),
                "534" => return refuse(534, "5.7.9", "the mechanism is too weak"),
                "538" => return refuse(538, "5.7.11", "encryption is needed"),
                password => password == "pencil",
            },
            Proof::Token(token) => token == "good-token",
            Proof::Response(response) => digest(&response.challenge) == response.digest,
            Proof::Certificate | Proof::Verified => false,
        };
        match is_right && credentials.identity == "bob" {
            true => AuthAnswer::accept("bob"),
            false => AuthAnswer::next(),
        }
    }
}

fn refuse(code: u16, enhanced: &str, text: &str) -> AuthAnswer {
    AuthAnswer::refuse(Refusal::new(code, enhanced, text))
}

/// What CRAM-MD5 makes of the challenge (RFC 2195).
fn digest(challenge: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(b"pencil") else {
        return String::new();
    };
    mac.update(challenge);
    let digest = mac.finalize().into_bytes();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

postgate_plugin::export!(Logins: OnAuth);
