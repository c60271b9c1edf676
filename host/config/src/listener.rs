//! A listener and its settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postgate_proto::auth::Mechanism;
use postgate_proto::data::LineEndings;
use postgate_proto::parameters::Extensions;
use toml::de::DeValue;

use super::limits::Limits;
use super::tls::{ClientCertificates, TlsMode, TlsProfile};
use super::value::{Setting, one_of};

/// An address to listen on, with the settings for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The name in logs and in the sidecars of plugins; by default, the address in the file. The
    /// addresses of one table of the file share it.
    pub name: String,
    /// The host name in the address in the file. `None` if it is an IP address or `*`.
    pub host: Option<String>,
    /// The address. With port 0, the system chooses a free port.
    pub address: SocketAddr,
    /// Authentication of clients.
    pub auth: AuthMode,
    /// True if clients may authenticate without TLS; only on loopback addresses.
    pub auth_in_clear: bool,
    /// The mechanisms of AUTH in the order in which they are offered, at least one.
    pub auth_mechanisms: Vec<Mechanism>,
    /// The text after the host name in the banner, in printable ASCII.
    pub banner: String,
    /// The domain that is added to addresses without one. If `None`, they are refused.
    pub default_domain: Option<String>,
    /// The handling of clients that do not wait for the banner.
    pub early_talkers: EarlyTalkers,
    /// The delay before the banner.
    pub greet_delay: Duration,
    /// The extensions in the reply to EHLO; REQUIRETLS over TLS only.
    pub extensions: Extensions,
    /// Additional keywords in the reply to EHLO.
    pub more_keywords: Vec<String>,
    /// Keywords that replace all others in the reply to EHLO.
    pub only_keywords: Option<Vec<String>>,
    /// Changes to messages of authenticated clients.
    pub submission: Submission,
    /// The handling of a lone CR or LF in a message.
    pub line_endings: LineEndings,
    /// True if a command line may end with a lone LF.
    pub lenient_commands: bool,
    /// True if MAIL requires angle brackets without a blank before them.
    pub strict_mail: bool,
    /// True if RCPT requires angle brackets without a blank before them.
    pub strict_rcpt: bool,
    /// The PROXY header before a session.
    pub proxy: ProxyMode,
    /// The proxies that may send a PROXY header; not empty unless `proxy` is off.
    pub proxy_from: Vec<IpNet>,
    /// The clients that may use XCLIENT.
    pub xclient_from: Vec<IpNet>,
    /// True if the client's host name is looked up before the session.
    pub reverse_dns: bool,
    /// Encryption of sessions.
    pub tls: TlsMode,
    /// The versions of TLS.
    pub tls_profile: TlsProfile,
    /// The names of the certificates of this listener. If `None`, all.
    pub certificates: Option<Vec<String>>,
    /// Certificates of clients.
    pub client_certificates: ClientCertificates,
    /// The PEM file of authorities that are trusted for certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// The limits on clients: those of all listeners, with the overrides of this one.
    pub limits: Limits,
}

impl Listener {
    /// A listener with default settings.
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

/// Authentication of clients (RFC 4954).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// AUTH is neither offered nor accepted.
    #[default]
    Off,
    /// A client may authenticate.
    Optional,
    /// Mail is refused without authentication.
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

/// Changes to messages of authenticated clients (RFC 6409).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// True if missing Date and Message-ID fields are added.
    pub complete: bool,
    /// True if Bcc fields are removed.
    pub strip_bcc: bool,
}

/// The handling of clients that do not wait for the banner, as RFC 5321 §3.1 requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyTalkers {
    /// They are served.
    #[default]
    Accept,
    /// They are refused.
    Refuse,
}

impl Setting for EarlyTalkers {
    const ALLOWED: &'static str = r#""accept" or "refuse""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(value, &[("accept", Self::Accept), ("refuse", Self::Refuse)])
    }
}

/// The PROXY header before a session, in which a proxy gives the address of its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyMode {
    /// No header is read.
    #[default]
    Off,
    /// A header is read if a trusted proxy sends one.
    Optional,
    /// Only connections of trusted proxies with a header are served.
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
