"""Does what the local part of the recipient says, and refuses with what came of it."""

import os
import socket
import sys
import time

from wit_world import exports
from wit_world.exports.on_rcpt import RcptAnswer
from wit_world.imports.types import Pair, RcptVerdict_Refuse, Refusal, Reply


class OnRcpt(exports.OnRcpt):
    def on_rcpt(self, recipient: str, parameters: list[Pair]) -> RcptAnswer:
        deed = globals()["do_" + recipient.partition("@")[0]]
        reply = Reply(550, None, [str(deed())])
        return RcptAnswer(RcptVerdict_Refuse(Refusal(reply, None)), [])


def do_raise():
    raise ValueError("not today")


def do_loop():
    while True:
        pass


def do_hoard():
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def do_exit():
    os._exit(3)


def do_print():
    print("to the output")
    print("to the error\x07", file=sys.stderr)
    return "printed"


def do_flood():
    for number in range(1_000):
        print(number)
    return "flooded"


def do_file():
    return denied(lambda: open("/etc/passwd"))


def do_directory():
    return denied(lambda: os.listdir("/"))


def do_write():
    return denied(lambda: open("/tmp/there", "w"))


def do_tcp():
    return denied(lambda: socket.socket().connect(("127.0.0.1", 25)))


def do_udp():
    return denied(lambda: socket.socket(type=socket.SOCK_DGRAM).bind(("127.0.0.1", 0)))


def do_name():
    return denied(lambda: socket.getaddrinfo(b"localhost", 25))


def do_environment():
    return f"{len(os.environ)} variables, {len(sys.argv)} arguments"


def do_clock():
    return f"{time.time()} {time.monotonic()}"


def do_random():
    return os.urandom(8).hex()


def do_sleep():
    time.sleep(3600)


def denied(attempt):
    try:
        return attempt()
    except OSError:
        return "denied"
