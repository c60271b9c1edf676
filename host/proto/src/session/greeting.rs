//! The banner, and the replies to HELO and EHLO.

use crate::reply::Reply;
use crate::session::ask::Helo;
use crate::session::core::Core;
use crate::session::offers::{ClientTrust, OptionalQuestion, Tls};
use crate::session::profile::is_own_keyword;
use crate::session::settings::{Auth, Settings};
use crate::xclient::Xclient;

impl Core {
    /// Sends the banner: host name, then text (RFC 5321 §4.2).
    pub(super) fn send_banner(&mut self) {
        let text = self.profile.banner().unwrap_or(&self.settings.banner);
        let line = format!("{} {text}", self.settings.hostname);
        self.send_plain(220, vec![line]);
    }

    /// Sends the reply to HELO or EHLO, the latter with the keywords of the extensions (RFC 5321
    /// §4.1.1.1).
    pub(super) fn send_greeting(&mut self, helo: Helo) {
        let text = self.profile.greeting().unwrap_or(Settings::GREETING);
        let mut lines = vec![format!("{} {text}", self.settings.hostname)];
        if helo == Helo::Ehlo {
            lines.extend(self.keywords());
        }
        self.send_plain(250, lines);
    }

    fn send_plain(&mut self, code: u16, lines: Vec<String>) {
        // Never fails: the codes are literals of this file.
        if let Ok(reply) = Reply::plain(code, lines) {
            self.send(&reply);
        }
    }

    /// The keywords for EHLO: those of the session, of the settings and of the profile.
    fn keywords(&self) -> Vec<String> {
        let name = |keyword: &str| keyword.split(' ').next().map(str::to_ascii_uppercase);
        let mut keywords = self.own_keywords();
        if let Some(only) = &self.settings.only_keywords {
            // The parameters of its own keywords are those that hold in this session.
            let listed = |keyword: &String| {
                match is_own_keyword(keyword) {
                    true => keywords.iter().find(|own| name(own) == name(keyword)),
                    false => Some(keyword),
                }
                .cloned()
            };
            return only.iter().filter_map(listed).collect();
        }
        let of_settings = self.settings.more_keywords.iter().map(String::as_str);
        let added = of_settings.chain(self.profile.ehlo_keywords());
        for added in added.filter(|keyword| !is_own_keyword(keyword)) {
            if !keywords.iter().any(|keyword| name(keyword) == name(added)) {
                keywords.push(added.into());
            }
        }
        keywords
    }

    fn own_keywords(&self) -> Vec<String> {
        let settings = &self.settings;
        let mechanisms: Vec<_> = self
            .mechanisms()
            .map(|mechanism| mechanism.name())
            .collect();
        let offers_auth =
            settings.auth != Auth::Off && !self.is_authenticated() && !mechanisms.is_empty();
        let extensions = self.extensions().and(self.profile.announced());
        let size = match settings.max_message_size {
            // RFC 1870 §3: no fixed limit.
            u32::MAX => 0,
            size => size,
        };
        let binarymime = extensions.chunking && extensions.binarymime;
        // RFC 9422 §4.
        let limits = format!("LIMITS RCPTMAX={}", settings.max_recipients);
        let offered = [
            (extensions.pipelining, "PIPELINING".into()),
            (true, format!("SIZE {size}")),
            (extensions.eight_bit_mime, "8BITMIME".into()),
            (extensions.smtputf8, "SMTPUTF8".into()),
            (true, "ENHANCEDSTATUSCODES".into()),
            (extensions.chunking, "CHUNKING".into()),
            (binarymime, "BINARYMIME".into()),
            (extensions.dsn, "DSN".into()),
            (self.tls == Tls::Offered, "STARTTLS".into()),
            (extensions.requiretls, "REQUIRETLS".into()),
            (settings.max_recipients > 0, limits),
            (offers_auth, format!("AUTH {}", mechanisms.join(" "))),
            (
                self.trust == ClientTrust::NamesClients,
                Xclient::KEYWORD.into(),
            ),
            (extensions.vrfy, "VRFY".into()),
            (self.asks(OptionalQuestion::Expn), "EXPN".into()),
            (true, "HELP".into()),
        ];
        let offered = offered.into_iter();
        offered
            .filter_map(|(is_offered, keyword)| is_offered.then_some(keyword))
            .collect()
    }
}
