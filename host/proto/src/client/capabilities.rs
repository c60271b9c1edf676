//! The extensions of a server (RFC 5321 §4.1.1.1).

use crate::parameters::Body;
use crate::reply::Reply;

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
    fn a_size_limit_that_is_none() {
        for line in ["SIZE", "SIZE 0", "SIZE many", "SIZER 5"] {
            let reply = Reply::plain(250, vec!["hi".into(), line.into()]).unwrap();
            assert_eq!(Capabilities::parse(&reply).size_limit(), None, "{line}");
        }
    }
}
