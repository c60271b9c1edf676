"""Prints pairs of a text and a header field that reads as this text, as JSON."""

import base64
import json
from email.header import Header, decode_header, make_header

TEXTS = {
    "win the lottery today, and tomorrow, and on all days of the week": [
        "us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "iso-2022-jp", "koi8-r", "gb2312",
        "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "windows-1251", "windows-1252",
        "utf-16be", "utf-16le", "utf-7", "iso-2022-kr", "hz",
    ],
    "gewinne im Glücksspiel für schöne Straßen und größere Häuser": [
        "utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "utf-16be", "utf-7", "iso-8859-2",
    ],
    "бесплатная лотерея для всех, кто ещё не выиграл сегодня": [
        "utf-8", "koi8-r", "windows-1251", "iso-8859-5", "utf-16be", "utf-7", "koi8-u",
    ],
    "宝くじに当たりました、今すぐ連絡してください": [
        "utf-8", "iso-2022-jp", "shift_jis", "euc-jp", "utf-16be", "utf-7",
    ],
    "您中了彩票大奖请立即联系我们": ["utf-8", "gb2312", "gbk", "gb18030", "utf-16le", "hz"],
    "復權大獎請立即聯絡": ["utf-8", "big5", "gb18030"],
    "복권에 당첨되었습니다 지금 연락하세요": ["utf-8", "euc-kr", "iso-2022-kr", "cp949"],
    "κερδίσατε το λαχείο": ["utf-8", "iso-8859-7", "windows-1253"],
    "זכית בהגרלה הגדולה": ["utf-8", "windows-1255"],
    "🎉 prize 🎉 for you 🎉": ["utf-8", "utf-16be", "utf-7"],
}

# Written by hand; the text is what Python reads.
FIELDS = [
    "lottery",
    "=?utf-8?q?caf=C3=A9?= =?utf-8?q?_noir?=",
    "=?UTF-8?b?Y2Fmw6k=?=\r\n =?utf-8?Q?_au?=\r\n\t=?iso-8859-1?q?_lait_=E0?=",
    "=?utf-8?q?one?= two =?utf-8?q?three?=",
    "=?us-ascii?Q?under_score=5Fand=20blank?=",
    "=?utf-8?q?a?=\r\n =?utf-8?q?b?= c\r\n d",
    "=?utf-8?b?Zm9v?= =?utf-8?b?YmFy?=",
    "=?utf-8?q?=e2=82=ac?=",
    "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
    " =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
    "=?utf-8?q?=F0=9F?= =?utf-8?q?=8E=89?=",
]


def cut(text, charset, encoding, length):
    """Encoded words that end after every `length` octets, wherever a character ends."""
    octets = text.encode(charset)
    words = []
    for start in range(0, len(octets), length):
        part = octets[start:start + length]
        if encoding == "q":
            body = "".join(f"={octet:02X}" for octet in part)
        else:
            body = base64.b64encode(part).decode()
        words.append(f"=?{charset}?{encoding}?{body}?=")
    return "\r\n\t".join(words)


def main():
    pairs = []
    for text, charsets in TEXTS.items():
        for charset in charsets:
            for length in (5, 17):
                for encoding in "qB":
                    pairs.append((text, cut(text, charset, encoding, length)))
            if charset in ("utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp"):
                for length in (40, 76):
                    field = Header(text, charset, maxlinelen=length).encode(linesep="\r\n")
                    pairs.append((text, field))
    for field in FIELDS:
        unfolded = field.replace("\r\n", "")
        pairs.append((str(make_header(decode_header(unfolded))), field))
    # Python itself reads what it wrote.
    for text, field in pairs:
        read = str(make_header(decode_header(field.replace("\r\n", ""))))
        assert read == text, (read, text, field)
    print(json.dumps(pairs))


main()
