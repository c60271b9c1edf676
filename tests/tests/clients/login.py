"""Authenticates at the server whose address is the first argument.

Usage: login.py ADDRESS MECHANISM USER SECRET [starttls|implicit AUTHORITY]

With the last two over TLS, with a server whose certificate is of the authority in this file.

Exits with 0 where the server says 235, and with 1 where it says 535.
"""

import base64
import hashlib
import hmac
import secrets
import smtplib
import ssl
import sys


def scram(server, user, password):
    """SCRAM-SHA-256 (RFC 5802, RFC 7677), written from the RFC."""
    nonce = secrets.token_urlsafe(18)
    bare = f"n={user},r={nonce}"
    code, challenge = server.docmd("AUTH", "SCRAM-SHA-256 " + encoded("n,," + bare))
    assert code == 334, (code, challenge)
    first = base64.b64decode(challenge).decode()
    fields = dict(field.split("=", 1) for field in first.split(","))
    assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce)

    salt, iterations = base64.b64decode(fields["s"]), int(fields["i"])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client_key = digest(salted, b"Client Key")
    without_proof = f"c={encoded('n,,')},r={fields['r']}"
    signed = f"{bare},{first},{without_proof}".encode()
    signature = digest(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    final = f"{without_proof},p={base64.b64encode(proof).decode()}"
    code, answer = server.docmd(encoded(final))
    if code != 334:
        return code, answer

    # The server has to prove that it knows the keys.
    expected = digest(digest(salted, b"Server Key"), signed)
    said = base64.b64decode(answer).decode()
    assert said == "v=" + base64.b64encode(expected).decode(), said
    return server.docmd("")


def bearer(server, mechanism, user, token):
    """XOAUTH2 and OAUTHBEARER (RFC 7628)."""
    if mechanism == "XOAUTH2":
        response = f"user={user}\x01auth=Bearer {token}\x01\x01"
    else:
        response = f"n,a={user},\x01auth=Bearer {token}\x01\x01"
    code, answer = server.docmd("AUTH", f"{mechanism} {encoded(response)}")
    if code == 334:
        # Why it failed; the client has to say something before it hears the reply.
        assert b"status" in base64.b64decode(answer)
        code, answer = server.docmd("AQ==")
    return code, answer


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def digest(key, text):
    return hmac.new(key, text, "sha256").digest()


def connect(address, tls=None, authority=None):
    host, port = address.rsplit(":", 1)
    settings = {"local_hostname": "client.example", "timeout": 60}
    if tls is None:
        return smtplib.SMTP(host, int(port), **settings)
    context = ssl.create_default_context(cafile=authority)
    # The tests have no name server for the name in the certificate.
    context.check_hostname = False
    if tls == "implicit":
        return smtplib.SMTP_SSL(host, int(port), context=context, **settings)
    server = smtplib.SMTP(host, int(port), **settings)
    server.starttls(context=context)
    return server


def main(address, mechanism, user, secret, *tls):
    with connect(address, *tls) as server:
        server.ehlo()
        offered = server.esmtp_features["auth"].split()
        assert mechanism in offered, offered
        if mechanism.startswith("SCRAM"):
            code, answer = scram(server, user, secret)
        elif mechanism in ("XOAUTH2", "OAUTHBEARER"):
            code, answer = bearer(server, mechanism, user, secret)
        else:
            server.user, server.password = user, secret
            method = getattr(server, "auth_" + mechanism.lower().replace("-", "_"))
            try:
                code, answer = server.auth(mechanism, method)
            except smtplib.SMTPAuthenticationError as error:
                code, answer = error.smtp_code, error.smtp_error
        print(code, answer.decode())
        return {235: 0, 535: 1}.get(code, 2)


sys.exit(main(*sys.argv[1:]))
