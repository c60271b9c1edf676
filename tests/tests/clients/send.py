"""Sends three messages through the server whose address is the argument, and expects a refusal."""

import smtplib
import sys
from email.message import EmailMessage

host, port = sys.argv[1].rsplit(":", 1)


def message(subject, text):
    mail = EmailMessage()
    mail["From"] = "alice@client.example"
    mail["To"] = "bob@example.org"
    mail["Subject"] = subject
    mail.set_content(text)
    return mail


with smtplib.SMTP(host, int(port), local_hostname="client.example", timeout=30) as server:
    server.send_message(message("plain", "hello\n.\n..dots\n"))

    with_picture = message("a picture", "see below\n")
    with_picture.add_attachment(
        bytes(range(256)) * 100, maintype="image", subtype="png", filename="picture.png"
    )
    server.send_message(with_picture)

    international = message("café", "bonjour\n")
    del international["From"]
    international["From"] = "pelé@client.example"
    server.send_message(international)

    try:
        server.sendmail("alice@client.example", ["victim@elsewhere.example"], b"Subject: no\r\n\r\n")
    except smtplib.SMTPRecipientsRefused as refused:
        code, _ = refused.recipients["victim@elsewhere.example"]
        assert code == 550, code
    else:
        raise SystemExit("an open relay")

    server.noop()
