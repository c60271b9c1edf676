//! Where clients connect, and how they are treated there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postgate_proto::auth::Mechanism;
use postgate_proto::data::LineEndings;
use postgate_proto::parameters::Extensions;
use toml::de::DeValue;

use super::value::{Setting, one_of};
use super::{ClientCertificates, Limits, TlsMode, TlsProfile};

/// An address to listen on, and how clients are treated there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name in logs and in the sidecars of plugins. Where the operator gave none, the address as
    /// it was written. Addresses that were written as one share it.
    pub name: String,
    /// The name of the host in the address as it was written, where it was one.
    pub host: Option<String>,
    /// The address. Port 0 lets the system choose a free one.
    pub address: SocketAddr,
    /// Whether clients may or must authenticate.
    pub auth: AuthMode,
    /// Whether clients may authenticate without TLS; true on loopback addresses only.
    pub auth_in_clear: bool,
    /// The mechanisms of AUTH, in the order in which those are listed that can be used; at least one.
    pub auth_mechanisms: Vec<Mechanism>,
    /// The text behind the host name in the banner, in printable ASCII.
    pub banner: String,
    /// The domain of an address that has none. Nothing: such an address is refused.
    pub default_domain: Option<String>,
    /// What becomes of clients that do not wait for the banner.
    pub early_talkers: EarlyTalkers,
    /// How long the banner is held back.
    pub greet_delay: Duration,
    /// What is offered in the reply to EHLO; REQUIRETLS over TLS only.
    pub extensions: Extensions,
    /// Keywords for the reply to EHLO beside those of the extensions.
    pub more_keywords: Vec<String>,
    /// The only keywords for the reply to EHLO, in place of all others.
    pub only_keywords: Option<Vec<String>>,
    /// What is done to messages of clients that have authenticated.
    pub submission: Submission,
    /// What becomes of a CR or LF in a message that is not part of a CRLF.
    pub line_endings: LineEndings,
    /// Whether a command line may end in a lone LF.
    pub lenient_commands: bool,
    /// Whether MAIL needs angle brackets, and no blank before them.
    pub strict_mail: bool,
    /// The same for RCPT.
    pub strict_rcpt: bool,
    /// Whether proxies may or must say whom they speak for.
    pub proxy: ProxyMode,
    /// The proxies that are trusted to do so; not empty unless `proxy` is off.
    pub proxy_from: Vec<IpNet>,
    /// The clients that are trusted to say XCLIENT.
    pub xclient_from: Vec<IpNet>,
    /// Whether the client's name is looked up before the session.
    pub reverse_dns: bool,
    /// Whether and when clients can encrypt the session.
    pub tls: TlsMode,
    /// Which versions of TLS are spoken.
    pub tls_profile: TlsProfile,
    /// The names of the only certificates that are shown here. Nothing: all.
    pub certificates: Option<Vec<String>>,
    /// Whether clients are asked for a certificate.
    pub client_certificates: ClientCertificates,
    /// The file of the authorities that are trusted for certificates of clients, in PEM.
    pub client_ca: Option<PathBuf>,
    /// What clients may use up here: the limits of all listeners, with what this one overrides.
    pub limits: Limits,
}

impl Listener {
    /// A listener that has nothing but an address.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            name: address.to_string(),
            host: None,
            address,
            auth: AuthMode::default(),
            auth_in_clear: false,
            auth_mechanisms: Mechanism::USUAL.to_vec(),
            banner: DEFAULT_BANNER.to_owned(),
            default_domain: None,
            early_talkers: EarlyTalkers::default(),
            greet_delay: Duration::ZERO,
            extensions: Extensions::default(),
            more_keywords: Vec::new(),
            only_keywords: None,
            submission: Submission::default(),
            line_endings: LineEndings::default(),
            lenient_commands: false,
            strict_mail: false,
            strict_rcpt: false,
            proxy: ProxyMode::default(),
            proxy_from: Vec::new(),
            xclient_from: Vec::new(),
            reverse_dns: false,
            tls: TlsMode::default(),
            tls_profile: TlsProfile::default(),
            certificates: None,
            client_certificates: ClientCertificates::default(),
            client_ca: None,
            limits: Limits::default(),
        }
    }
}

/// Whether clients authenticate (RFC 4954).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// AUTH is neither offered nor taken.
    #[default]
    Off,
    /// A client may authenticate.
    Optional,
    /// No mail without authentication.
    Required,
}

impl Setting for AuthMode {
    const ALLOWED: &'static str = r#""off", "optional" or "required""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("off", Self::Off),
                ("optional", Self::Optional),
                ("required", Self::Required),
            ],
        )
    }
}

impl Setting for Mechanism {
    const ALLOWED: &'static str = r#""SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "EXTERNAL", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2" or "CRAM-MD5""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::parse(value.as_str()?)
    }
}

/// What is done to messages of clients that have authenticated (RFC 6409).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// Whether Date and Message-ID are added where they are missing.
    pub complete: bool,
    /// Whether Bcc is removed.
    pub strip_bcc: bool,
}

/// What becomes of clients that do not wait for the banner, as they must (RFC 5321 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyTalkers {
    /// They are served.
    #[default]
    Accept,
    /// They are turned away.
    Refuse,
}

impl Setting for EarlyTalkers {
    const ALLOWED: &'static str = r#""accept" or "refuse""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(value, &[("accept", Self::Accept), ("refuse", Self::Refuse)])
    }
}

/// Whether proxies say whom they speak for, in a PROXY header before the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyMode {
    /// No header is read.
    #[default]
    Off,
    /// A header is read where a trusted proxy sends one.
    Optional,
    /// Nobody is served but through a trusted proxy.
    Required,
}

impl Setting for ProxyMode {
    const ALLOWED: &'static str = r#""off", "optional" or "required""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("off", Self::Off),
                ("optional", Self::Optional),
                ("required", Self::Required),
            ],
        )
    }
}

impl Setting for LineEndings {
    const ALLOWED: &'static str = r#""strict", "ensure", "ensure-legacy" or "leave""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("strict", Self::Strict),
                ("ensure", Self::Ensure),
                ("ensure-legacy", Self::EnsureLegacy),
                ("leave", Self::Leave),
            ],
        )
    }
}

const DEFAULT_BANNER: &str = "ESMTP Postgate";
