"""Uses everything that Python's smtplib can say to the server whose address is the argument."""

import smtplib
import sys

host, port = sys.argv[1].rsplit(":", 1)
ENVELOPE = "alice@client.example", "bob@example.org"


def expect(code, answer):
    assert answer[0] == code, f"{answer} is not {code}"


with smtplib.SMTP(host, int(port), local_hostname="client.example", timeout=30) as server:
    expect(250, server.ehlo())
    for keyword in ["8bitmime", "binarymime", "chunking", "dsn", "pipelining", "smtputf8", "vrfy"]:
        assert server.has_extn(keyword), f"no {keyword} in {server.esmtp_features}"

    server.sendmail(*ENVELOPE, b"Subject: eight bits\r\n\r\ncaf\xe9\r\n", ["BODY=8BITMIME"])
    server.sendmail(
        *ENVELOPE,
        b"Subject: notify\r\n\r\nhello\r\n",
        ["RET=HDRS", "ENVID=id-4711"],
        ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;bob@example.org"],
    )
    server.sendmail(
        "pelé@client.example", ENVELOPE[1], "Subject: x\r\n\r\nbonjour\r\n", ["SMTPUTF8"]
    )

    expect(250, server.mail(ENVELOPE[0], ["BODY=BINARYMIME", "SIZE=40"]))
    expect(250, server.rcpt(ENVELOPE[1]))
    server.send(b"BDAT 17\r\nSubject: chunks\r\n")
    expect(250, server.getreply())
    server.send(b"BDAT 8 LAST\r\n\r\nbin\0\n.")
    expect(250, server.getreply())

    expect(252, server.verify("bob"))
    expect(502, server.expn("list"))
    expect(250, server.noop())
    expect(250, server.rset())
    assert server.help(), "no help"
    expect(221, server.quit())
