//! The exchange of RFC 7677 §3, with and without channel binding, and what clients get wrong.

use super::*;
use crate::auth::Decoy;

const CLIENT: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const EXPORTER: [u8; 32] = [0x45; 32];

/// The keys of the user "user" with the password "pencil".
fn keys() -> ScramKeys {
    let of = |text| STANDARD.decode(text).unwrap();
    let stored = of("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
    let server = of("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
    ScramKeys::new(of("W22ZaJ0SNY7soEsUEjb6gQ=="), 4_096, &stored, &server).unwrap()
}

fn start(mechanism: Mechanism, exporter: Option<[u8; 32]>) -> Start {
    Start {
        mechanism,
        exporter,
        offers_binding: exporter.is_some(),
        nonce: SERVER.to_owned(),
    }
}

fn first(
    mechanism: Mechanism,
    exporter: Option<[u8; 32]>,
    text: &str,
) -> Result<AwaitsKeys, Fault> {
    start(mechanism, exporter).respond(text)
}

fn without_binding(lookup: ScramLookup, last: &str) -> Result<String, Fault> {
    let text = format!("n,,n=user,r={CLIENT}");
    let waiting = first(Mechanism::ScramSha256, None, &text).unwrap();
    let (_, challenged) = waiting.with_keys(lookup);
    let (signature, credentials) = challenged.respond(last)?;
    assert_eq!(credentials.identity, "user");
    assert_eq!(credentials.proof, Proof::Verified);
    Ok(String::from_utf8(signature).unwrap())
}

fn last(binding: &str, proof: &str) -> String {
    format!("c={binding},r={CLIENT}{SERVER},p={proof}")
}

const PROOF: &str = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

#[test]
fn the_exchange_of_the_rfc() {
    let text = format!("n,,n=user,r={CLIENT}");
    let waiting = first(Mechanism::ScramSha256, None, &text).unwrap();
    let (challenge, challenged) = waiting.with_keys(ScramLookup::Known(keys()));
    let expected = format!("r={CLIENT}{SERVER},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    assert_eq!(String::from_utf8(challenge).unwrap(), expected);
    let (signature, credentials) = challenged.respond(&last("biws", PROOF)).unwrap();
    assert_eq!(signature, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(credentials.act_as, "");
}

#[test]
fn the_same_bound_to_the_channel() {
    let text = format!("p=tls-exporter,,n=user,r={CLIENT}");
    let bound = "cD10bHMtZXhwb3J0ZXIsLEVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVFRUVF";
    let proof = "9bsy3BGYgMVs0OIWMWsnzUYhWe6J5yPOKFNWXnF+O0w=";
    let respond = |exporter, binding: &str| {
        let waiting = first(Mechanism::ScramSha256Plus, Some(exporter), &text).unwrap();
        let (_, challenged) = waiting.with_keys(ScramLookup::Known(keys()));
        challenged
            .respond(&last(binding, proof))
            .map(|(signature, _)| signature)
    };
    let signature = b"v=vxnwpFm/D2MWeE8X0Ho6ynsBhzglxKH868AEgblXe2A=";
    assert_eq!(respond(EXPORTER, bound).unwrap(), signature);
    assert_eq!(respond([0x46; 32], bound), Err(Fault::ChannelBinding));
    assert_eq!(respond(EXPORTER, "biws"), Err(Fault::ChannelBinding));
}

#[test]
fn last_messages_good_and_bad() {
    let table = [
        (last("biws", PROOF), Ok(())),
        (
            last("biws", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU="),
            Err(Fault::AuthRejected),
        ),
        (last("eSws", PROOF), Err(Fault::ChannelBinding)),
        (last("biws", "dHzb"), Err(Fault::AuthEncoding)),
        (last("biws", "!"), Err(Fault::AuthEncoding)),
        (last("", PROOF), Err(Fault::ChannelBinding)),
        (
            format!("c=biws,r={CLIENT},p={PROOF}"),
            Err(Fault::AuthRejected),
        ),
        (format!("c=biws,p={PROOF}"), Err(Fault::AuthEncoding)),
        (
            format!("r={CLIENT}{SERVER},c=biws,p={PROOF}"),
            Err(Fault::AuthEncoding),
        ),
        (
            format!("c=biws,r={CLIENT}{SERVER}"),
            Err(Fault::AuthEncoding),
        ),
        (String::new(), Err(Fault::AuthEncoding)),
    ];
    for (text, expected) in table {
        assert_eq!(
            without_binding(ScramLookup::Known(keys()), &text).map(|_| ()),
            expected,
            "{text}"
        );
        // Unknown users make no difference before the proof.
        let unknown = without_binding(ScramLookup::Unknown(Decoy::default()), &text).map(|_| ());
        assert_eq!(unknown, expected.and(Err(Fault::AuthRejected)), "{text}");
    }
}

#[test]
fn first_messages_good_and_bad() {
    use Mechanism::{ScramSha256 as Simple, ScramSha256Plus as Plus};
    let none = None;
    let some = Some(EXPORTER);
    let table = [
        (Simple, none, "n,,n=user,r=x", Ok(("user", ""))),
        (Simple, none, "n,a=role,n=user,r=x", Ok(("user", "role"))),
        (Simple, none, "n,,n=a=2Cb=3Dc,r=x,ext=1", Ok(("a,b=c", ""))),
        (Simple, none, "y,,n=user,r=x", Ok(("user", ""))),
        (Simple, some, "n,,n=user,r=x", Ok(("user", ""))),
        (Plus, some, "p=tls-exporter,,n=user,r=x", Ok(("user", ""))),
        // A downgrade: the client supports channel binding, and so does the server.
        (Simple, some, "y,,n=user,r=x", Err(Fault::ChannelBinding)),
        (
            Simple,
            some,
            "p=tls-exporter,,n=user,r=x",
            Err(Fault::ChannelBinding),
        ),
        (
            Simple,
            none,
            "p=tls-exporter,,n=user,r=x",
            Err(Fault::ChannelBinding),
        ),
        (
            Plus,
            some,
            "p=tls-unique,,n=user,r=x",
            Err(Fault::ChannelBinding),
        ),
        (Plus, some, "n,,n=user,r=x", Err(Fault::ChannelBinding)),
        (Plus, some, "y,,n=user,r=x", Err(Fault::ChannelBinding)),
        (Simple, none, "", Err(Fault::AuthEncoding)),
        (Simple, none, "n=user,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "x,,n=user,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,role,n=user,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,a=,n=user,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,m=x,n=user,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=us=2Xer,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=us\0er,r=x", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=user,r=", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=user,r=a b", Err(Fault::AuthEncoding)),
        (Simple, none, "n,,n=user", Err(Fault::AuthEncoding)),
    ];
    for (mechanism, exporter, text, expected) in table {
        let waiting = first(mechanism, exporter, text);
        let names = waiting
            .as_ref()
            .map(|w| (w.identity.as_str(), w.act_as.as_str()));
        assert_eq!(
            names.map_err(|fault| *fault),
            expected,
            "{mechanism} {text:?}"
        );
    }
}

#[test]
fn letter_case_tells_nobody_who_is_there() {
    for name in ["eve", "EVE", "Eve"] {
        let text = format!("n,,n={name},r={CLIENT}");
        let waiting = first(Mechanism::ScramSha256, None, &text).unwrap();
        assert_eq!(waiting.account(), "eve");
        let (_, challenged) = waiting.with_keys(ScramLookup::Unknown(Decoy::default()));
        assert_eq!(challenged.keys.salt, Decoy::default().keys().salt);
        assert_eq!(challenged.client.credentials().identity, name);
    }
}

#[test]
fn a_nonce_has_its_bounds() {
    for (length, is_good) in [(1, true), (128, true), (129, false)] {
        let text = format!("n,,n=user,r={}", "x".repeat(length));
        assert_eq!(first(Mechanism::ScramSha256, None, &text).is_ok(), is_good);
    }
}
