"""Refuses recipients that are on a list, and adds a header field to the mail of all others.

The module `wit_world` is made from the contract. An instance serves one session: what a module
remembers, it remembers about that session alone.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.on_headers import HeadersAnswer
from wit_world.exports.on_rcpt import RcptAnswer
from wit_world.imports import addresses, config
from wit_world.imports.types import (
    EnhancedCode,
    HeaderEdit_Append,
    HeaderField,
    HeadersEdit_Header,
    Pair,
    RcptVerdict_Next,
    RcptVerdict_Refuse,
    Refusal,
    Reply,
    Verdict_Next,
)

# `refused` in the [config] table of new-plugin.toml.
refused: set[str] = set()


class OnInit(exports.OnInit):
    def on_init(self) -> None:
        table = json.loads(config.json())
        listed = table.pop("refused", [])
        if table:
            raise Err(f"config: there is no key {min(table)}")
        refused.update(mailbox(address) for address in listed)


class OnRcpt(exports.OnRcpt):
    def on_rcpt(self, recipient: str, parameters: list[Pair]) -> RcptAnswer:
        if mailbox(recipient) not in refused:
            return RcptAnswer(RcptVerdict_Next(), [])
        reply = Reply(550, EnhancedCode(5, 7, 1), ["this recipient takes no mail"])
        return RcptAnswer(RcptVerdict_Refuse(Refusal(reply, None)), [])


class OnHeaders(exports.OnHeaders):
    def on_headers(self) -> HeadersAnswer:
        edit = HeaderEdit_Append(HeaderField("X-Checked-By", b"new-plugin"))
        return HeadersAnswer(Verdict_Next(), [HeadersEdit_Header(edit)])


def mailbox(address: str) -> str:
    """All spellings of an address have one form: "bob"@example.org is bob@example.org."""
    return addresses.canonical(address).lower()
