//! The extensions of a server (RFC 5321 §4.1.1.1).

use crate::parameters::Body;
use crate::reply::Reply;

/// An extension that the client uses if a server offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// 8BITMIME (RFC 6152).
    EightBitMime,
    /// BINARYMIME (RFC 3030), which needs CHUNKING.
    BinaryMime,
    /// CHUNKING (RFC 3030).
    Chunking,
    /// DSN (RFC 3461).
    Dsn,
    /// PIPELINING (RFC 2920).
    Pipelining,
    /// REQUIRETLS (RFC 8689).
    RequireTls,
    /// SIZE (RFC 1870).
    Size,
    /// SMTPUTF8 (RFC 6531).
    SmtpUtf8,
}

impl Extension {
    /// The keyword in the reply to EHLO.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
            Self::Chunking => "CHUNKING",
            Self::Dsn => "DSN",
            Self::Pipelining => "PIPELINING",
            Self::RequireTls => "REQUIRETLS",
            Self::Size => "SIZE",
            Self::SmtpUtf8 => "SMTPUTF8",
        }
    }
}

/// The keywords of a server's reply to EHLO. Empty after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<Box<str>>,
}

impl Capabilities {
    /// Parses the reply to EHLO or LHLO. Its first line is a greeting.
    pub fn parse(reply: &Reply) -> Self {
        Self {
            lines: reply.lines().skip(1).map(Into::into).collect(),
        }
    }

    /// The same without these extensions, as if the server did not offer them.
    #[must_use]
    pub fn without(mut self, extensions: &[Extension]) -> Self {
        self.lines.retain(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            let mut keywords = extensions.iter().map(|extension| extension.keyword());
            !keywords.any(|keyword| name.eq_ignore_ascii_case(keyword))
        });
        self
    }

    /// True if the server listed the keyword, in any letter case.
    pub fn offers(&self, keyword: &str) -> bool {
        self.parameters(keyword).is_some()
    }

    /// The parameters of a keyword, for example `PLAIN LOGIN` for `AUTH`. Returns `None` if the server
    /// did not list the keyword.
    pub fn parameters(&self, keyword: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (name, parameters) = line.split_once(' ').unwrap_or((line, ""));
            name.eq_ignore_ascii_case(keyword)
                .then_some(parameters.trim())
        })
    }

    /// True if the server accepts messages with this body type. BINARYMIME requires CHUNKING (RFC 3030
    /// §3).
    pub fn take(&self, body: Body) -> bool {
        match body {
            Body::BinaryMime => self.offers("BINARYMIME") && self.offers("CHUNKING"),
            Body::EightBitMime | Body::SevenBit => self.offers("8BITMIME"),
        }
    }

    /// The maximum size of a message in octets (RFC 1870). Returns `None` without a limit.
    pub fn size_limit(&self) -> Option<u64> {
        self.parameters("SIZE")?
            .parse()
            .ok()
            .filter(|limit| *limit > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_and_their_parameters() {
        let lines = [
            "hi SIZE 1",
            "PIPELINING",
            "size 1000",
            "AUTH PLAIN  LOGIN ",
            "X-ODD=1",
        ];
        let reply = Reply::plain(250, lines.map(String::from).to_vec()).unwrap();
        let capabilities = Capabilities::parse(&reply);
        assert!(capabilities.offers("pipelining"));
        assert!(!capabilities.offers("hi"));
        assert!(!capabilities.offers("X-ODD"));
        assert_eq!(capabilities.parameters("PIPELINING"), Some(""));
        assert_eq!(capabilities.parameters("AUTH"), Some("PLAIN  LOGIN"));
        assert_eq!(capabilities.size_limit(), Some(1000));
    }

    #[test]
    fn extensions_that_are_not_to_be_used() {
        let lines = ["hi", "chunking", "BINARYMIME", "SIZE 7", "SIZED"];
        let reply = Reply::plain(250, lines.map(String::from).to_vec()).unwrap();
        let capabilities = Capabilities::parse(&reply).without(&[
            Extension::Chunking,
            Extension::Size,
            Extension::Dsn,
        ]);
        assert!(!capabilities.offers("CHUNKING") && !capabilities.offers("SIZE"));
        assert!(capabilities.offers("BINARYMIME") && capabilities.offers("SIZED"));
        assert!(!capabilities.take(Body::BinaryMime), "it needs CHUNKING");
    }

    #[test]
    fn a_size_limit_that_is_none() {
        for line in ["SIZE", "SIZE 0", "SIZE many", "SIZER 5"] {
            let reply = Reply::plain(250, vec!["hi".into(), line.into()]).unwrap();
            assert_eq!(Capabilities::parse(&reply).size_limit(), None, "{line}");
        }
    }
}
