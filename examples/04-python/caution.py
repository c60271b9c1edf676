"""Refuses mail for a closed mailbox, and marks messages that mention a phrase.

The module `wit_world` is made from the contract. A plugin serves one session: what a module
remembers, it remembers about that session alone.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.on_message import MessageAnswer
from wit_world.exports.on_rcpt import RcptAnswer
from wit_world.imports import addresses, config, message
from wit_world.imports.types import (
    EnhancedCode,
    HeaderEdit_RemoveAll,
    HeaderEdit_Set,
    HeaderField,
    MessageEdit_Header,
    MessageVerdict_Next,
    Pair,
    RcptVerdict_Next,
    RcptVerdict_Refuse,
    Refusal,
    Reply,
)

READ_AT_MOST = 65536

# What stands below [config] in caution.toml.
closed = ""
phrase = ""


class OnInit(exports.OnInit):
    def on_init(self) -> None:
        global closed, phrase
        closed = mailbox(config.get("closed") or "")
        phrase = (config.get("phrase") or "").lower()
        if not closed or not phrase:
            raise Err("config.closed or config.phrase is missing")


class OnRcpt(exports.OnRcpt):
    def on_rcpt(self, recipient: str, parameters: list[Pair]) -> RcptAnswer:
        if mailbox(recipient) != closed:
            return RcptAnswer(RcptVerdict_Next(), [])
        reply = Reply(550, EnhancedCode(5, 2, 1), ["this mailbox is closed"])
        return RcptAnswer(RcptVerdict_Refuse(Refusal(reply, None)), [])


class OnMessage(exports.OnMessage):
    def on_message(self) -> MessageAnswer:
        if phrase in text_of_message().lower():
            value = f'mentions "{phrase}"'.encode()
            edit = HeaderEdit_Set(HeaderField("X-Caution", value))
        else:
            # Only this plugin says so: what a sender wrote there is not believed.
            edit = HeaderEdit_RemoveAll("X-Caution")
        return MessageAnswer(MessageVerdict_Next(), [MessageEdit_Header(edit)])


def mailbox(address: str) -> str:
    """All spellings of an address have one form: "leaver"@example.org is leaver@example.org."""
    return addresses.canonical(address).lower()


def text_of_message() -> str:
    """The text that a reader is shown, as far as it matters here."""
    part = message.plain_part()
    if part is None:
        return ""
    return message.read_text(part, 0, READ_AT_MOST) or ""
