"""Messages with attachments, made with the libraries that programs make them with.

Usage: attachments.py DIRECTORY

Writes DIRECTORY/refused/*.eml and DIRECTORY/taken/*.eml.
"""

import binascii
import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import uuid
import zipfile
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

PROGRAM = b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(44) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0" + bytes(900)
ELF = b"\x7fELF\2\1\1" + bytes(500)
TEXT = b"The minutes of the meeting.\r\n" * 40
NOISE = os.urandom(200_000)


def zipped(files, method=zipfile.ZIP_DEFLATED, stream=False, force_zip64=False):
    out = io.BytesIO()
    target = Unseekable(out) if stream else out
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files:
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force_zip64) if force_zip64 else \
                    io.BytesIO() as file:
                if force_zip64:
                    file.write(content)
            if not force_zip64:
                archive.writestr(name, content)
    return out.getvalue()


class Unseekable:
    """A stream, so that sizes come behind the octets."""

    def __init__(self, out):
        self.out = out

    def write(self, octets):
        return self.out.write(octets)

    def flush(self):
        pass


def tarred(files, mode="w", format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=format) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gzipped(content, name=""):
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=out) as file:
        file.write(content)
    return out.getvalue()


def uuencoded(content, name):
    lines = [binascii.b2a_uu(content[at:at + 45]) for at in range(0, len(content), 45)]
    return b"begin 644 " + name.encode() + b"\n" + b"".join(lines) + b"`\nend\n"


def attribute(level, number, data):
    checksum = sum(data) & 0xFFFF
    return bytes([level]) + number.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data \
        + checksum.to_bytes(2, "little")


def tnef(name, content, long_name=None):
    out = b"\x78\x9f\x3e\x22\x01\0" + attribute(1, 0x00089006, b"\0\0\1\0")
    out += attribute(2, 0x00069002, bytes(14)) + attribute(2, 0x00018010, name.encode() + b"\0")
    out += attribute(2, 0x0006800F, content)
    if long_name:
        text = long_name.encode("utf-16-le") + b"\0\0"
        padding = bytes(-len(text) % 4)
        head = b"\1\0\0\0" + b"\x1f\0\x07\x37" + (1).to_bytes(4, "little") + len(text).to_bytes(4, "little")
        out += attribute(2, 0x00069005, head + text + padding)
    return out


def with_file(name, content, kind="application/octet-stream", **headers):
    message = EmailMessage()
    message["From"] = "alice@client.example"
    message["To"] = "bob@example.org"
    message["Subject"] = "a file"
    message.set_content("See the file.\n")
    maintype, subtype = kind.split("/")
    message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name, **headers)
    return message.as_bytes()


def with_text(text):
    message = EmailMessage()
    message["From"] = "alice@client.example"
    message.set_content(text.decode())
    return message.as_bytes()


def nested(depth, files):
    for level in range(depth):
        files = [(f"level-{level}.zip", zipped(files))]
    return zipped(files)


def office(*more):
    return zipped([("[Content_Types].xml", b"<Types/>" * 50), ("_rels/.rels", b"<Relationships/>" * 20),
                   ("word/document.xml", b"<w:document>" + TEXT * 200 + b"</w:document>"),
                   ("word/media/image1.png", b"\x89PNG\r\n\x1a\n" + NOISE[:50_000]), *more])


def opened(odt):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), odt)
        archive.writestr("content.xml", TEXT * 10)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return out.getvalue()


def encrypted(archive):
    """The bit that says so, in front of each entry and in the directory."""
    octets = bytearray(archive)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = octets.find(mark)
        while at >= 0:
            octets[at + offset] |= 1
            at = octets.find(mark, at + 4)
    return bytes(octets)


def compound(class_id):
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\0\3\0\xfe\xff\x09\0" + bytes(16) + b"\1\0\0\0"
    return header.ljust(1024, b"\0") + bytes(80) + uuid.UUID(class_id).bytes_le + bytes(2000)


def refused():
    js = [("readme.txt", TEXT), ("run.js", TEXT)]
    hidden = [("readme.txt", TEXT), ("notes.txt", PROGRAM)]
    yield "zip", with_file("a.zip", zipped(js))
    yield "zip-stored", with_file("a.zip", zipped(js, zipfile.ZIP_STORED))
    yield "zip-streamed", with_file("a.zip", zipped(js, stream=True))
    yield "zip-64", with_file("a.zip", zipped(js, force_zip64=True))
    yield "zip-of-a-program", with_file("a.zip", zipped(hidden))
    yield "zip-of-a-stored-program", with_file("a.zip", zipped(hidden, zipfile.ZIP_STORED))
    yield "zip-of-a-streamed-program", with_file("a.zip", zipped(hidden, stream=True))
    yield "zip-of-an-elf", with_file("a.zip", zipped([("notes", ELF)]))
    yield "zip-in-zip", with_file("a.zip", nested(1, js))
    yield "zip-in-zip-in-zip", with_file("a.zip", nested(3, hidden))
    yield "zip-in-other-octets-in-zip", with_file("a.zip", zipped([("a.dat", NOISE[:5000] + zipped(js))]))
    yield "zip-in-a-stored-zip", with_file("a.zip", zipped([("b.zip", zipped(js))], zipfile.ZIP_STORED))
    yield "too-deep", with_file("a.zip", nested(12, [("a.txt", TEXT)]))
    yield "deep-stored-program", with_file("a.zip", nested(3, [("b.zip", zipped(hidden, zipfile.ZIP_STORED))]))
    tars = tarred(hidden)
    for level in range(30):
        tars = tarred([("a.tar", tars)])
    yield "tar-in-tar", with_file("a.tar", tars)
    yield "bomb", with_file("a.zip", zipped([("b.zip", zipped([("c.zip", bytes(100_000_000))]))]))
    yield "bzip2-entry", with_file("a.zip", zipped([("a.txt", TEXT)], zipfile.ZIP_BZIP2))
    yield "lzma-entry", with_file("a.zip", zipped([("a.txt", TEXT)], zipfile.ZIP_LZMA))
    yield "encrypted", with_file("a.zip", encrypted(zipped([("a.txt", TEXT)])))
    yield "document-with-a-program", with_file("a.docx", office(("word/embeddings/a.exe", PROGRAM)))
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        name = f"tar-{format}"
        yield name, with_file("a.tar", tarred(js, format=format))
        yield name + "-long", with_file("a.tar", tarred([("x" * 90 + "/" + "y" * 90 + "/run.js", TEXT)], format=format))
        yield name + "-program", with_file("a.dat", tarred(hidden, format=format))
        yield name + "-zip", with_file("a.tar", tarred([("b.zip", zipped(hidden))], format=format))
    yield "tar-gz", with_file("a.tar.gz", tarred(js, "w:gz"))
    yield "tar-gz-program", with_file("a.tgz", tarred(hidden, "w:gz"))
    yield "tar-gz-in-zip", with_file("a.zip", zipped([("a.dat", tarred(hidden, "w:gz"))]))
    yield "tar-bz2", with_file("a.tar.bz2", tarred([("a.txt", TEXT)], "w:bz2"))
    yield "tar-xz", with_file("a.tar.xz", tarred([("a.txt", TEXT)], "w:xz"))
    yield "gzip-name", with_file("a.gz", gzipped(TEXT, "run.js"))
    yield "gzip-program", with_file("a.gz", gzipped(PROGRAM, "a.txt"))
    yield "gzip-members", with_file("a.gz", gzipped(tarred(js)[:700]) + gzipped(tarred(js)[700:]))
    yield "gzip-zip", with_file("a.gz", gzipped(zipped(js)))
    yield "bz2", with_file("a.bz2", bz2.compress(TEXT))
    yield "xz", with_file("a.xz", lzma.compress(TEXT))
    yield "uuencode", with_text(b"Hello,\n\n" + uuencoded(TEXT, "run.js"))
    yield "uuencode-program", with_text(b"Hello,\n\n" + uuencoded(PROGRAM, "a.txt"))
    yield "uuencode-zip", with_text(uuencoded(zipped(hidden), "a.zip"))
    yield "tnef", with_file("winmail.dat", tnef("RUN~1.TXT", TEXT, "run.js"), "application/ms-tnef")
    yield "tnef-short-name", with_file("winmail.dat", tnef("run.js", TEXT), "application/ms-tnef")
    yield "tnef-program", with_file("winmail.dat", tnef("a.txt", PROGRAM), "application/ms-tnef")
    yield "tnef-zip", with_file("winmail.dat", tnef("a.zip", zipped(hidden)), "application/ms-tnef")
    yield "iso", with_file("a.dat", bytes(32_769) + b"CD001\1" + bytes(9000))
    yield "udf", with_file("a.dat", bytes(32_769) + b"BEA01\1" + bytes(2042) + b"NSR02" + bytes(9000))
    yield "vhd", with_file("a.dat", bytes(40_000) + b"conectix".ljust(512, b"\0"))
    yield "vhdx", with_file("a.dat", b"vhdxfile" + bytes(9000))
    yield "img", with_file("a.dat", b"\xeb\x3c\x90MSDOS5.0".ljust(510, b"\0") + b"\x55\xaa" + bytes(9000))
    yield "dmg", with_file("a.dat", bytes(40_000) + b"koly\0\0\0\x04".ljust(512, b"\0"))
    yield "iso-in-zip", with_file("a.zip", zipped([("a.dat", bytes(32_769) + b"CD001\1" + bytes(9000))]))
    yield "msi", with_file("a.dat", compound("000C1084-0000-0000-C000-000000000046"))
    yield "msp", with_file("a.dat", compound("000C1086-0000-0000-C000-000000000046"))
    multipart = MIMEMultipart()
    multipart.preamble = uuencoded(TEXT, "run.js").decode()
    multipart.attach(MIMEText("hello"))
    yield "preamble", multipart.as_bytes()
    multipart = MIMEMultipart()
    multipart.epilogue = "\n" + uuencoded(PROGRAM, "a.txt").decode()
    multipart.attach(MIMEText("hello"))
    yield "epilogue", multipart.as_bytes()
    holder = EmailMessage()
    holder.set_content("See the message.\n")
    inner = EmailMessage()
    inner.set_content("See the file.\n")
    inner.add_attachment(zipped(hidden), maintype="image", subtype="png", filename="a.png")
    holder.add_attachment(inner)
    yield "forwarded", holder.as_bytes()
    partial = EmailMessage()
    partial.set_content("x")
    partial.replace_header("Content-Type", 'message/partial; id="a@b"; number=1; total=2')
    yield "partial", partial.as_bytes()


def taken():
    yield "docx", with_file("a.docx", office(), "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
    yield "docx-of-no-type", with_file("a.docx", office())
    yield "xlsx-large", with_file("a.xlsx", zipped([("xl/worksheets/sheet1.xml", b"<c><v>17</v></c>" * 3_000_000)]))
    yield "odt", with_file("a.odt", opened(b"application/vnd.oasis.opendocument.text"))
    yield "pdf", with_file("a.pdf", b"%PDF-1.7\n" + NOISE + b"\n%%EOF\n", "application/pdf")
    yield "png", with_file("a.png", b"\x89PNG\r\n\x1a\n" + NOISE, "image/png")
    yield "doc", with_file("a.doc", compound("00020906-0000-0000-C000-000000000046"), "application/msword")
    yield "zip", with_file("a.zip", zipped([("a.txt", TEXT), ("b/", b""), ("b/c.pdf", b"%PDF-" + NOISE)]))
    yield "zip-stored", with_file("a.zip", zipped([("a.txt", TEXT), ("c.pdf", NOISE)], zipfile.ZIP_STORED))
    yield "zip-streamed", with_file("a.zip", zipped([("a.txt", TEXT), ("c.pdf", NOISE)], stream=True))
    yield "zip-64", with_file("a.zip", zipped([("a.txt", TEXT)], force_zip64=True))
    yield "zip-empty", with_file("a.zip", zipped([]))
    yield "zip-in-zip", with_file("a.zip", nested(3, [("a.txt", TEXT), ("c.pdf", NOISE)]))
    documents = [(f"{number}.docx", office()) for number in range(60)]
    yield "zip-of-documents", with_file("a.zip", zipped(documents + [("a.zip", zipped(documents[:3]))]))
    yield "zip-of-many", with_file("a.zip", zipped([(f"{number}.txt", TEXT) for number in range(9_000)]))
    yield "zip-of-a-large-file", with_file("a.zip", zipped([("a.csv", b"1;2;3;4\r\n" * 8_000_000)]))
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"tar-{format}", with_file("a.tar", tarred([("ä/" + "x" * 90 + "/a.txt", TEXT), ("b.pdf", NOISE)], format=format))
    yield "tar-gz", with_file("a.tar.gz", tarred([("a.txt", TEXT), ("b.pdf", NOISE)], "w:gz"), "application/gzip")
    yield "gzip-report", with_file("google.com!example.org!1!2.xml.gz", gzipped(b"<feedback/>" * 100), "application/gzip")
    yield "gzip-log", with_file("mail.log.gz", gzipped(b"Nov 29 postfix/smtpd: connect\n" * 3_000_000, "mail.log"))
    yield "uuencode", with_text(b"Hello,\n\n" + uuencoded(TEXT, "a.txt"))
    yield "about-uuencode", with_text(b"Here we\nbegin 644 steps.\nbegin with one\nend\n")
    yield "tnef", with_file("winmail.dat", tnef("MINUTE~1.DOC", office(), "minutes of the meeting.docx"), "application/ms-tnef")
    yield "vcard", with_file("alice.vcf", b"BEGIN:VCARD\r\nEND:VCARD\r\n", "text/vcard")
    yield "key", with_file("0x1234.asc", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n", "application/pgp-keys")
    yield "csv-utf16", with_file("a.csv", "a;b\r\n".encode("utf-16"), "text/csv")
    yield "name-beyond-ascii", with_file("Übersicht der Größen.pdf", b"%PDF-1.7\n", "application/pdf")
    yield "long-name", with_file("a very long name " * 12 + ".pdf", b"%PDF-1.7\n", "application/pdf")
    yield "signed", signed("pkcs7-signature", "smime.p7s", b"0\x82\x0b\x05" + NOISE[:2000])
    yield "pgp-signed", signed("pgp-signature", "signature.asc", b"-----BEGIN PGP SIGNATURE-----\r\n")
    yield "encrypted-mail", with_file("smime.p7m", b"0\x82\x0b\x05" + NOISE, "application/pkcs7-mime")
    yield "pgp-encrypted", pgp_encrypted()
    yield "invitation", invitation()
    yield "bounce", report("delivery-status", b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; b@c\r\n")
    yield "bounce-of-a-header", report("delivery-status", b"Reporting-MTA: dns; mx.example\r\n", cut=True)
    yield "read-receipt", report("disposition-notification", b"Disposition: manual-action; displayed\r\n")
    yield "abuse-report", report("feedback-report", b"Feedback-Type: abuse\r\n")
    digest = MIMEMultipart("digest")
    for number in range(3):
        digest.attach(MIMEMessage(MIMEText(f"post {number}")))
    yield "digest", digest.as_bytes()
    amp = EmailMessage()
    amp.set_content("Hello.\n")
    amp.add_alternative("<!doctype html><html ⚡4email></html>", subtype="x-amp-html")
    amp.add_alternative("<p>Hello.</p>", subtype="html")
    amp.get_payload()[-1].add_related(b"GIF89a" + NOISE[:100], "image", "gif", cid="<logo>", filename="logo.gif")
    yield "amp", amp.as_bytes()


def signed(kind, name, signature):
    message = MIMEMultipart("signed", micalg="sha-256", protocol=f"application/{kind}")
    message.preamble = "This is a signed message."
    message.attach(MIMEText("Hello. -- \nAlice"))
    part = MIMEBase("application", kind, name=name)
    part.set_payload(signature)
    import email.encoders
    email.encoders.encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    message.attach(part)
    return message.as_bytes()


def pgp_encrypted():
    message = MIMEMultipart("encrypted", protocol="application/pgp-encrypted")
    version = MIMEBase("application", "pgp-encrypted")
    version.set_payload("Version: 1\n")
    message.attach(version)
    part = MIMEBase("application", "octet-stream", name="encrypted.asc")
    part.set_payload("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n")
    message.attach(part)
    return message.as_bytes()


def invitation():
    message = EmailMessage()
    message.set_content("We meet.\n")
    event = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    message.add_alternative(event, subtype="calendar", params={"method": "REQUEST"})
    message.add_attachment(event.encode(), maintype="application", subtype="ics", filename="invite.ics")
    return message.as_bytes()


def report(kind, status, cut=False):
    original = EmailMessage()
    original["Subject"] = "a file"
    original.set_content("Hello.\n")
    original.add_attachment(office(), maintype="application", subtype="zip", filename="a.docx")
    original = original.as_bytes()
    if cut:
        original = original.split(b"\n\n")[0] + b"\n\n"
    return b"\n".join([
        b"MIME-Version: 1.0", b"Content-Type: multipart/report; boundary=r; report-type=" + kind.encode(), b"",
        b"--r", b"Content-Type: text/plain", b"", b"This is about your message.",
        b"--r", b"Content-Type: message/" + kind.encode(), b"", status,
        b"--r", b"Content-Type: message/rfc822", b"", original,
        b"--r--", b""])


def main():
    for folder, messages in (("refused", refused()), ("taken", taken())):
        directory = os.path.join(sys.argv[1], folder)
        os.makedirs(directory)
        for name, octets in messages:
            with open(os.path.join(directory, name + ".eml"), "wb") as file:
                file.write(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


main()
