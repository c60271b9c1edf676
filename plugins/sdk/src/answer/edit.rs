//! The edits, each for the events that allow it.

use std::net::IpAddr;

use crate::bindings::imports::postgate::plugin::types::{
    ConnectEdit, DataEdit, HeaderEdit, HeaderField, HeaderInsertion, HeaderPosition,
    HeaderReplacement, HeadersEdit, HeloEdit, MailEdit, MessageEdit, MessageVerdict, Pair,
    ProxyEdit, RcptEdit, RcptVerdict, RecipientRefusal, SessionEdit, Verdict,
};
use crate::{Answer, Refusal};

/// Every event that can be answered.
impl<V, E: From<SessionEdit>> Answer<V, E> {
    /// Wait this many milliseconds before the reply; the host caps it.
    pub fn delay(self, milliseconds: u32) -> Self {
        self.with(SessionEdit::Delay(milliseconds))
    }

    /// Set a tag, which later plugins see in [`session::tags`](crate::session::tags) and the log
    /// line of each message shows.
    pub fn tag(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (one_line(name), one_line(value));
        self.with(SessionEdit::Tag(Pair { name, value }))
    }
}

impl Answer<Verdict, ProxyEdit> {
    /// Treat this address as the client's.
    pub fn set_client_ip(self, address: impl Into<IpAddr>) -> Self {
        self.with(ProxyEdit::SetClientIp(address.into().to_string()))
    }

    /// Treat this name as the client's, instead of the one from reverse DNS.
    pub fn set_client_host(self, name: impl Into<String>) -> Self {
        self.with(ProxyEdit::SetClientHost(one_line(name)))
    }
}

impl Answer<Verdict, ConnectEdit> {
    /// Set the text after the host name in the 220 banner.
    pub fn set_banner(self, text: impl Into<String>) -> Self {
        self.with(ConnectEdit::SetBanner(one_line(text)))
    }
}

macro_rules! extensions {
    ($($edit:ident),+) => {$(
        impl Answer<Verdict, $edit> {
            /// Announce this EHLO keyword, with its parameters, in addition to the host's. A
            /// keyword of the host's own, such as `AUTH`, is a failure of the plugin.
            pub fn add_ehlo_keyword(self, keyword: impl Into<String>) -> Self {
                self.with($edit::AddEhloKeyword(one_line(keyword)))
            }

            /// Set the text after the host name in the reply to HELO and EHLO.
            pub fn set_greeting(self, text: impl Into<String>) -> Self {
                self.with($edit::SetGreeting(one_line(text)))
            }

            /// Call [`OnCommand`](crate::OnCommand) for this verb, which the gateway does not know.
            pub fn add_verb(self, verb: impl Into<String>) -> Self {
                self.with($edit::AddVerb(one_line(verb)))
            }

            /// Accept this parameter of MAIL, which the gateway does not know; see
            /// [`session::mail_parameters`](crate::session::mail_parameters).
            pub fn add_mail_parameter(self, name: impl Into<String>) -> Self {
                self.with($edit::AddMailParameter(one_line(name)))
            }

            /// Accept this parameter of RCPT, which the gateway does not know; see
            /// [`Recipient::parameters`](crate::Recipient::parameters).
            pub fn add_rcpt_parameter(self, name: impl Into<String>) -> Self {
                self.with($edit::AddRcptParameter(one_line(name)))
            }
        }
    )+};
}

extensions!(ConnectEdit, HeloEdit);

impl Answer<Verdict, HeloEdit> {
    /// Offer this client no other SASL mechanisms than these. Mechanisms that the listener does not
    /// offer are not added. With an empty list, the reply to EHLO does not contain AUTH.
    pub fn limit_auth_mechanisms<T: Into<String>>(
        self,
        mechanisms: impl IntoIterator<Item = T>,
    ) -> Self {
        let mechanisms = mechanisms.into_iter().map(T::into).collect();
        self.with(HeloEdit::LimitAuthMechanisms(mechanisms))
    }
}

impl Answer<Verdict, MailEdit> {
    /// Replace the reverse-path: a mailbox, or an empty text for the null reverse-path.
    pub fn rewrite_sender(self, mailbox: impl Into<String>) -> Self {
        self.with(MailEdit::RewriteSender(mailbox.into()))
    }
}

impl Answer<RcptVerdict, RcptEdit> {
    /// Replace this recipient by another mailbox.
    pub fn rewrite_recipient(self, mailbox: impl Into<String>) -> Self {
        self.with(RcptEdit::RewriteRecipient(mailbox.into()))
    }
}

impl Answer<Verdict, DataEdit> {
    /// Add a field above all others when the header block has arrived.
    pub fn prepend_header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.with(DataEdit::PrependHeader(field(name, value)))
    }
}

/// The events that can change the header block. Positions refer to the header block after all
/// earlier edits. It is not an error if a field does not exist.
impl<V, E: From<HeaderEdit>> Answer<V, E> {
    /// Add a field above all others.
    pub fn prepend_header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.with(HeaderEdit::Prepend(field(name, value)))
    }

    /// Add a field below all others.
    pub fn append_header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.with(HeaderEdit::Append(field(name, value)))
    }

    /// Leave exactly one field with this name: replace the value of the topmost one and remove the
    /// others. If there is none, add it below all other fields.
    pub fn set_header(self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Self {
        self.with(HeaderEdit::Set(field(name, value)))
    }

    /// Insert a field before the one with this index in the whole block.
    pub fn insert_header(
        self,
        index: u32,
        name: impl Into<String>,
        value: impl AsRef<[u8]>,
    ) -> Self {
        let field = field(name, value);
        self.with(HeaderEdit::Insert(HeaderInsertion { index, field }))
    }

    /// Replace the value of one field; index 0 is the topmost with that name.
    pub fn replace_header(
        self,
        name: impl Into<String>,
        index: u32,
        value: impl AsRef<[u8]>,
    ) -> Self {
        let at = position(name, index);
        let value = one_line_of_bytes(value);
        self.with(HeaderEdit::Replace(HeaderReplacement { at, value }))
    }

    /// Remove one field; index 0 is the topmost with that name.
    pub fn remove_header(self, name: impl Into<String>, index: u32) -> Self {
        self.with(HeaderEdit::Remove(position(name, index)))
    }

    /// Remove all fields with this name.
    pub fn remove_headers(self, name: impl Into<String>) -> Self {
        self.with(HeaderEdit::RemoveAll(name.into()))
    }
}

impl Answer<MessageVerdict, MessageEdit> {
    /// Replace everything after the header block. Lines end in CRLF: a CR or LF alone becomes
    /// one, and the last line is completed, unless the client has said BODY=BINARYMIME.
    pub fn replace_body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with(MessageEdit::ReplaceBody(body.into()))
    }

    /// Also deliver to this mailbox, which must be one that the gateway may relay to.
    pub fn add_recipient(self, mailbox: impl Into<String>) -> Self {
        self.with(MessageEdit::AddRecipient(mailbox.into()))
    }

    /// Do not deliver to this mailbox. If no recipient is left, the message is discarded.
    pub fn remove_recipient(self, mailbox: impl Into<String>) -> Self {
        self.with(MessageEdit::RemoveRecipient(mailbox.into()))
    }

    /// Do not deliver to this mailbox, and tell the client. If all recipients are refused, the
    /// message is refused. If others get it, the client is asked to try again, and gets this
    /// refusal at RCPT then.
    pub fn refuse_recipient(self, mailbox: impl Into<String>, refusal: Refusal) -> Self {
        self.with(MessageEdit::RefuseRecipient(RecipientRefusal {
            recipient: mailbox.into(),
            refusal: refusal.into(),
        }))
    }

    /// Set the id under which the client and the log know the message, instead of the id of the
    /// transaction: 1 to 100 printable ASCII characters without blanks.
    pub fn set_id(self, id: impl Into<String>) -> Self {
        self.with(MessageEdit::SetId(id.into()))
    }

    /// Replace the reverse-path: a mailbox, or an empty text for the null reverse-path.
    pub fn rewrite_sender(self, mailbox: impl Into<String>) -> Self {
        self.with(MessageEdit::RewriteSender(mailbox.into()))
    }
}

macro_rules! from_session_edit {
    ($($edit:ident),+) => {$(
        impl From<SessionEdit> for $edit {
            fn from(edit: SessionEdit) -> Self {
                Self::Session(edit)
            }
        }
    )+};
}

from_session_edit!(
    ConnectEdit,
    DataEdit,
    HeadersEdit,
    HeloEdit,
    MailEdit,
    MessageEdit,
    ProxyEdit,
    RcptEdit
);

impl From<HeaderEdit> for HeadersEdit {
    fn from(edit: HeaderEdit) -> Self {
        Self::Header(edit)
    }
}

impl From<HeaderEdit> for MessageEdit {
    fn from(edit: HeaderEdit) -> Self {
        Self::Header(edit)
    }
}

fn field(name: impl Into<String>, value: impl AsRef<[u8]>) -> HeaderField {
    HeaderField {
        name: name.into(),
        value: one_line_of_bytes(value),
    }
}

fn position(name: impl Into<String>, index: u32) -> HeaderPosition {
    let name = name.into();
    HeaderPosition { name, index }
}

fn one_line(text: impl Into<String>) -> String {
    text.into().replace(['\r', '\n', '\0'], " ")
}

fn one_line_of_bytes(text: impl AsRef<[u8]>) -> Vec<u8> {
    let clean = |&byte: &u8| match byte {
        b'\r' | b'\n' | 0 => b' ',
        byte => byte,
    };
    text.as_ref().iter().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use crate::{
        ConnectAnswer, ConnectEdit, DataAnswer, DataEdit, HeaderEdit, HeaderField, HeadersAnswer,
        HeadersEdit, MailAnswer, MailEdit, ProxyAnswer, ProxyEdit, SessionEdit,
    };

    #[test]
    fn edits_keep_their_order() {
        let answer = MailAnswer::next().delay(5).rewrite_sender("a@b");
        let expected = [
            MailEdit::Session(SessionEdit::Delay(5)),
            MailEdit::RewriteSender("a@b".into()),
        ];
        assert_eq!(answer.edits(), expected);
    }

    #[test]
    fn extensions_of_the_protocol() {
        let answer = ConnectAnswer::next()
            .add_ehlo_keyword("XFOO 1")
            .add_verb("XFOO")
            .add_mail_parameter("XMAIL")
            .add_rcpt_parameter("XRCPT");
        let expected = [
            ConnectEdit::AddEhloKeyword("XFOO 1".into()),
            ConnectEdit::AddVerb("XFOO".into()),
            ConnectEdit::AddMailParameter("XMAIL".into()),
            ConnectEdit::AddRcptParameter("XRCPT".into()),
        ];
        assert_eq!(answer.edits(), expected);
    }

    #[test]
    fn the_client_of_a_proxy() {
        let answer = ProxyAnswer::next()
            .set_client_ip(Ipv6Addr::LOCALHOST)
            .set_client_host("client.example");
        let expected = [
            ProxyEdit::SetClientIp("::1".into()),
            ProxyEdit::SetClientHost("client.example".into()),
        ];
        assert_eq!(answer.edits(), expected);
    }

    #[test]
    fn a_value_can_not_start_a_second_field() {
        let field = HeaderField {
            name: "X-Note".into(),
            value: b"one  Injected: yes".to_vec(),
        };
        let answer = HeadersAnswer::next().prepend_header("X-Note", "one\r\nInjected: yes");
        let expected = HeadersEdit::Header(HeaderEdit::Prepend(field.clone()));
        assert_eq!(answer.edits(), [expected]);
        let answer = DataAnswer::next().prepend_header("X-Note", "one\r\nInjected: yes");
        assert_eq!(answer.edits(), [DataEdit::PrependHeader(field)]);
    }
}
