"""Reads messages as Python's email package does.

Each line of the input is a message in hexadecimal digits. Each line of the output is a JSON list with an
item for each MIME part, in the order of the message: the number of parts around it, whether it contains
others, its type, whether its content breaks the rules of its transfer encoding, and the content without
the transfer encoding, in hexadecimal digits. A message may not have a transfer encoding.
"""

import email
import json
import re
import sys


def parts(part, depth):
    is_container = part.is_multipart()
    content = b"" if is_container else part.get_payload(decode=True) or b""
    yield [depth, is_container, part.get_content_type(), is_malformed(part), content.hex()]
    if is_container:
        for inner in part.get_payload():
            yield from parts(inner, depth + 1)


def is_malformed(part):
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    if part.is_multipart():
        # Other programs decode it.
        return part.get_content_maintype() == "message" and encoding == "base64"
    # The octets as they came: get_payload() would convert them to the charset.
    content = (part._payload or "").encode("ascii", "surrogateescape")
    # Lines of whole groups of base64, and the signs of quoted-printable.
    if encoding == "base64":
        return re.fullmatch(rb"([A-Za-z0-9+/]{4}|[\r\n])*", content) is None
    if encoding == "quoted-printable":
        return re.search(rb"=(?![0-9A-F]{2}|\r\n)|[ \t](\r|\n|$)", content) is not None
    return False


for line in sys.stdin:
    message = email.message_from_bytes(bytes.fromhex(line))
    print(json.dumps(list(parts(message, 0))), flush=True)
