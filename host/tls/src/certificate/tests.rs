//! Certificates from files: good ones, damaged ones, and those that do not fit together.

use std::error::Error as _;
use std::fs;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use super::*;

fn issue(name: &str) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    (params.self_signed(&key).unwrap(), key)
}

/// Loads a certificate from files with these texts.
fn load(chain: &str, key: &str) -> Result<Certificate, CertificateFault> {
    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        name: "mx".into(),
        chain: directory.path().join("mx.pem"),
        key: directory.path().join("mx.key"),
    };
    fs::write(&files.chain, chain).unwrap();
    fs::write(&files.key, key).unwrap();
    Certificate::load(&files).map_err(|error| error.fault)
}

#[test]
fn a_certificate_is_loaded_with_its_facts() {
    let (certificate, key) = issue("MX.example");
    let loaded = load(&certificate.pem(), &key.serialize_pem()).unwrap();
    assert_eq!(loaded.facts.names, ["mx.example"]);
    assert_eq!(loaded.facts.not_before.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(loaded.facts.fingerprint.len(), 64);
    assert_eq!(loaded.pem(), certificate.pem().replace("\r\n", "\n"));
    let at = |text: &str| loaded.facts.check_time(text.parse().unwrap());
    at("2025-01-01T00:00:00Z").unwrap();
    let early = at("2019-12-31T23:59:59Z");
    assert!(matches!(early, Err(CertificateFault::NotYetValid(_))));
    let late = at("2030-01-01T00:00:01Z");
    assert!(matches!(late, Err(CertificateFault::Expired(_))));
}

#[test]
fn a_key_must_belong_to_the_first_certificate() {
    let (certificate, key) = issue("mx.example");
    let (other, _) = issue("other.example");
    let key = key.serialize_pem();
    let swapped = load(&(other.pem() + &certificate.pem()), &key);
    assert!(matches!(swapped, Err(CertificateFault::NotFirst(2))));
    let alien = load(&other.pem(), &key);
    assert!(matches!(alien, Err(CertificateFault::NotItsKey(_))));
}

#[test]
fn faults_name_the_mistake_and_keep_their_cause() {
    let (certificate, key) = issue("mx.example");
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = &certificate[..certificate.len() / 2];
    for (chain, key, expected, has_cause) in [
        (" ", &key, "the file is empty", false),
        (&key, &key, "expected a certificate in PEM", false),
        (
            garbage,
            &key,
            "line 1: the certificate is malformed (",
            true,
        ),
        (
            cut,
            &key,
            "line 1: `-----BEGIN CERTIFICATE-----` without `-----END CERTIFICATE-----`; ",
            true,
        ),
        (
            &certificate,
            &certificate,
            "expected a private key in PEM",
            false,
        ),
        (
            &certificate,
            &encrypted,
            "line 1: the key is encrypted; ",
            true,
        ),
    ] {
        let fault = load(chain, key).unwrap_err();
        assert!(fault.to_string().starts_with(expected), "{fault}");
        assert_eq!(fault.source().is_some(), has_cause, "{fault}");
    }
    let missing = pem::key(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot be read: "));
    assert!(missing.source().is_some());
}

/// A root, what it issued, and what that issued.
struct Family {
    root: CertifiedIssuer<'static, KeyPair>,
    middle: CertifiedIssuer<'static, KeyPair>,
    leaf: rcgen::Certificate,
    key: KeyPair,
}

impl Family {
    fn new() -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let made = |params, root| {
            let key = KeyPair::generate().unwrap();
            match root {
                None => CertifiedIssuer::self_signed(params, key),
                Some(root) => CertifiedIssuer::signed_by(params, key, root),
            }
        };
        let root = made(authority("root"), None).unwrap();
        let middle = made(authority("middle"), Some(&*root)).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(["mx.example".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &middle).unwrap();
        Self {
            root,
            middle,
            leaf,
            key,
        }
    }

    fn ders(&self) -> Vec<CertificateDer<'static>> {
        let authorities = [self.middle.as_ref(), self.root.as_ref()];
        let all = [&self.leaf].into_iter().chain(authorities);
        all.map(|certificate| certificate.der().clone()).collect()
    }

    /// The leaf, the intermediate authority and the root, in PEM with LF.
    fn pems(&self) -> [String; 3] {
        let authorities = [self.middle.as_ref().pem(), self.root.as_ref().pem()];
        let [middle, root] = authorities.map(|pem| pem.replace('\r', ""));
        [self.leaf.pem().replace('\r', ""), middle, root]
    }
}

#[test]
fn chains_of_many_programs_are_read() {
    let family = Family::new();
    let [leaf, middle, root] = &family.pems();
    let key = family.key.serialize_pem();
    let whole = [&**leaf, middle, root].concat();
    let joined = whole.replace("-----\n-----", "----------");
    assert_eq!(
        joined
            .matches("-----END CERTIFICATE----------BEGIN")
            .count(),
        2
    );
    let indented: String = whole.lines().map(|line| format!("    {line} \n")).collect();
    let openssl = format!(
        "Bag Attributes\n    localKeyID: 01 00\nsubject=CN = mx.example\n\nissuer=CN = middle\n\n{leaf}\
         Bag Attributes: <Empty Attributes>\n{middle}\n{root}"
    );
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    for text in [
        whole.clone(),
        whole.replace('\n', "\r\n"),
        whole.replace('\n', "\r"),
        whole.trim_end().to_owned(),
        format!("\u{feff}{leaf}\u{feff}{middle}\u{feff}{root}"),
        joined,
        indented,
        openssl,
        format!("{parameters}{key}{whole}"),
        whole.replace("CERTIFICATE-----", "X509 CERTIFICATE-----"),
    ] {
        let loaded = load(&text, &format!("\u{feff}{parameters}{key}")).unwrap();
        assert_eq!(loaded.key.cert, family.ders(), "{text}");
    }
    // Some authorities issue certificates under their own name.
    let own_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["mx.example".to_owned()]).unwrap();
    params.distinguished_name = CertificateParams::default().distinguished_name;
    params.distinguished_name.push(DnType::CommonName, "root");
    let namesake = params.signed_by(&own_key, &family.root).unwrap().pem();
    let own_key = own_key.serialize_pem();
    assert_eq!(load(&namesake, &own_key).unwrap().key.cert.len(), 1);
    let with_root = format!("{namesake}{root}");
    assert_eq!(load(&with_root, &own_key).unwrap().key.cert.len(), 2);
    // A chain may end anywhere above the first certificate.
    for (text, count) in [(leaf.clone(), 1), (format!("{leaf}{middle}"), 2)] {
        assert_eq!(load(&text, &key).unwrap().key.cert.len(), count);
    }
}

#[test]
fn chains_that_do_not_fit_together_are_refused() {
    let (family, stranger) = (Family::new(), Family::new());
    let [leaf, middle, root] = &family.pems();
    let [_, other_middle, _] = &stranger.pems();
    let key = family.key.serialize_pem();
    let other_key = stranger.key.serialize_pem();
    let lines = leaf.lines().count();
    let second = format!("line {}: ", lines + 1);
    let trusted = leaf
        .replace("BEGIN C", "BEGIN TRUSTED C")
        .replace("END C", "END TRUSTED C");
    let request = leaf.replace("CERTIFICATE", "CERTIFICATE REQUEST");
    let long = leaf.replace('=', "");
    let locked =
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
        MQ==\n-----END EC PRIVATE KEY-----"
            .to_owned();
    for (chain, key, expected) in [
        (
            format!("{leaf}{root}"),
            &key,
            format!(
                "{second}the certificate of \"CN=root\" did not issue that in line 1, which is from \"CN=middle\"; "
            ),
        ),
        (
            format!("{leaf}{leaf}"),
            &key,
            format!("{second}this is the certificate of line 1 again; "),
        ),
        (
            format!("{leaf}{other_middle}"),
            &key,
            format!(
                "line 1: the signature is not of the certificate in line {}; ",
                lines + 1
            ),
        ),
        (
            format!("{middle}{leaf}"),
            &key,
            "the key belongs to certificate 2 of the chain; ".into(),
        ),
        (
            trusted,
            &key,
            "line 1: this is a certificate with settings of OpenSSL; ".into(),
        ),
        (
            format!("{leaf}{request}"),
            &key,
            format!("{second}a section of the kind \"CERTIFICATE REQUEST\" is of no use here; "),
        ),
        (
            format!("{leaf}{long}"),
            &key,
            format!(
                "line {}: ",
                if long == *leaf { lines + 1 } else { 2 * lines }
            ),
        ),
        (
            leaf.clone(),
            &other_key,
            "the key does not belong to the certificate in ".into(),
        ),
        (
            leaf.clone(),
            &format!("{key}{other_key}"),
            "line 6: a second private key, after that in line 1; ".into(),
        ),
        (
            leaf.clone(),
            &key.replace("PRIVATE", "OPENSSH PRIVATE"),
            "line 1: a section of the kind \"OPENSSH PRIVATE KEY\" is of no use here; ".into(),
        ),
        (
            leaf.clone(),
            &locked,
            "line 1: the key is encrypted; ".into(),
        ),
    ] {
        let fault = load(&chain, key).unwrap_err().to_string();
        assert!(
            fault.starts_with(&expected),
            "{fault} instead of {expected}"
        );
    }
}

/// What may happen to one line of a file.
fn damages(line: &str) -> Vec<String> {
    let middle = line.len() / 2;
    vec![
        String::new(),
        line[..middle].to_owned(),
        line[middle..].to_owned(),
        format!("{line}\n{line}"),
        format!("{}\n{}", &line[..middle], &line[middle..]),
        format!("{line} "),
        format!("\t{line}"),
        format!("{line}\r"),
        format!("# {line}"),
        format!("\u{feff}{line}"),
        format!("x: {line}"),
        line.to_lowercase(),
        line.replace('-', "\u{2013}"),
        line.replace("-----", "--"),
        "-----BEGIN CERTIFICATE-----".to_owned(),
        "-----END CERTIFICATE-----".to_owned(),
        "-----END CERTIFICATE----------BEGIN CERTIFICATE-----".to_owned(),
        "-----BEGIN PRIVATE KEY-----".to_owned(),
        "-----END PRIVATE KEY-----".to_owned(),
    ]
}

/// What may happen to one character of a line.
fn slips(line: &str) -> impl Iterator<Item = String> {
    line.char_indices().flat_map(move |(at, c)| {
        let (before, after) = (&line[..at], &line[at + c.len_utf8()..]);
        ["", "A", "=", "-"].map(|other| format!("{before}{other}{after}"))
    })
}

/// Whatever happens to one line of a file, it is read as before, or refused: never are there fewer
/// certificates or others.
#[test]
fn a_damaged_line_is_refused_or_does_no_harm() {
    let family = Family::new();
    let expected = family.ders();
    let key = family.key.serialize_pem();
    let whole = family.pems().concat();
    let joined = whole.replace("-----\n-----", "----------");
    let directory = tempfile::tempdir().unwrap();
    let (chain_file, key_file) = (
        directory.path().join("mx.pem"),
        directory.path().join("mx.key"),
    );
    fs::write(&key_file, &key).unwrap();
    let (mut read, mut refused) = (0, 0);
    for text in [&whole, &joined] {
        let lines: Vec<_> = text.lines().collect();
        let last = text.rfind("BEGIN").unwrap();
        for (number, line) in lines.iter().enumerate() {
            let of_last = lines[..number].concat().len() + number > last;
            let slips = slips(line).filter(|_| *text == whole);
            for damaged in damages(line).into_iter().chain(slips) {
                let mut lines = lines.clone();
                lines[number] = &damaged;
                fs::write(&chain_file, lines.join("\n")).unwrap();
                let Ok(loaded) = read_pair(&chain_file, &key_file) else {
                    refused += 1;
                    continue;
                };
                read += 1;
                assert_eq!(loaded.cert.len(), expected.len(), "{damaged:?}");
                // Nothing shows whether the last one is from the issuer that it names.
                let count = if of_last { 2 } else { 3 };
                assert_eq!(
                    loaded.cert[..count],
                    expected[..count],
                    "{damaged:?} in line {number}"
                );
            }
        }
    }
    assert!(
        read > 200 && refused > 2_000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn authorities_are_all_read_or_refused() {
    let family = Family::new();
    let [leaf, middle, root] = &family.pems();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    let authorities = |text: &str| {
        fs::write(&file, text).unwrap();
        let found = pem::authorities(&file).map_err(|fault| fault.to_string())?;
        assert_eq!(found.certificates.len(), found.roots.len());
        Ok(found.roots.len())
    };
    // The order does not matter, and neither does one that comes twice.
    assert_eq!(authorities(&format!("{root}{middle}{root}")), Ok(3));
    assert_eq!(authorities(root.trim_end()), Ok(1));
    for (text, expected) in [
        ("", "the file is empty"),
        (
            "hello",
            "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found something else",
        ),
        (
            "\x30\x02\0\0",
            "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found DER; ",
        ),
        (
            &family.key.serialize_pem(),
            "expected a certificate in PEM (-----BEGIN CERTIFICATE-----), found PRIVATE KEY",
        ),
    ] {
        let error: String = authorities(text).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let text = format!("{root}{middle}{leaf}");
    let lines: Vec<_> = text.lines().collect();
    for number in 0..lines.len() {
        for damaged in damages(lines[number]) {
            let mut lines = lines.clone();
            lines[number] = &damaged;
            if let Ok(count) = authorities(&lines.join("\n")) {
                assert_eq!(count, 3, "{damaged:?} in line {number}");
            }
        }
    }
}
