#!/usr/bin/env python3
"""Every SEARCH key, alone and in nests, to us and to Debian's Dovecot 2.3: the answers must be the same.

Usage: search_keys.py [SEED [MESSAGES [SEARCHES]]]

Not played, because Dovecot differs:

 1. Several blanks in a row in a header. RFC 3501 6.4.4: "contain the specified string"; Dovecot makes them one before it looks.
 2. OR of two YOUNGER or OLDER, NOT of an AND of two SMALLER or LARGER, NEW with OLD under NOT, two flags in a nest: Dovecot
    joins them into one key before it applies OR or NOT, and finds too much or too little (RFC 3501 6.4.4: "OR <search-key1>
    <search-key2>: Messages that match either search key", "NOT <search-key>: Messages that do not match"). Each kind is played
    once a program.
 3. Which messages are recent at first; bodies of embedded messages; messages without Date: imap_differential.py 3, 21, 16.
 4. Pieces of MISSING_MAILBOX and MISSING_DOMAIN, which Dovecot finds in addresses that lack the one or the other.
"""
import base64
import os
import quopri
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testpair import Pair, make_maildir  # noqa: E402

WORDS = ("alpha", "Beta", "GAMMA", "Caf\u00e9", "stra\u00dfe", "\u00c5ngstr\u00f6m", "\u041f\u0440\u0438\u0432\u0435\u0442", "needle", "two words",
         "\u65e5\u672c\u8a9e", "x=y", "100%", "\u0130stanbul")
NOW = int(time.time())


def encoded_word(rng, text):
    """An RFC 2047 word of text, or two that must be joined without the blank between them."""
    charset = rng.choice(("utf-8", "UTF-8", "iso-8859-1", "koi8-r", "windows-1252", "iso-2022-jp"))
    try:
        raw = text.encode(charset)
    except UnicodeEncodeError:
        charset, raw = "utf-8", text.encode()

    def one(piece):
        if rng.random() < 0.5:
            return f"=?{charset}?{rng.choice('bB')}?{base64.b64encode(piece).decode()}?="
        return f"=?{charset}?q?" + "".join(f"={b:02X}" if not chr(b).isalnum() or b > 126 else chr(b) for b in piece) + "?="
    if rng.random() < 0.3 and charset != "iso-2022-jp" and len(text) > 3:
        middle = len(text[:3].encode(charset))
        return one(raw[:middle]) + rng.choice((" ", "\n ")) + one(raw[middle:])
    return one(raw)


def phrase(rng):
    """Text of a header as bytes: plain, encoded, or raw 8-bit UTF-8."""
    out = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        word = rng.choice(WORDS)
        if word.isascii():
            out.append(word.encode())
        elif rng.random() < 0.2:
            out.append(word.encode())
        else:
            out.append(encoded_word(rng, word).encode())
    return rng.choice((b" ", b"\n ", b"\n\t")).join(out)


def leaf(rng):
    """A text part: its header lines and its body."""
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(0, 9))) + "\n" + "filler " * rng.randrange(0, 40)
    charset = rng.choice(("utf-8", "iso-8859-1", "windows-1252", "koi8-r", "us-ascii", "x-nobody-knows"))
    try:
        raw = text.encode("ascii" if charset == "x-nobody-knows" else charset)
    except UnicodeEncodeError:
        charset, raw = "utf-8", text.encode()
    how = rng.choice(("7bit", "8bit", "quoted-printable", "base64"))
    if how == "quoted-printable":
        raw = quopri.encodestring(raw)
    elif how == "base64":
        raw = base64.encodebytes(raw)
    kind = rng.choice(("plain", "plain", "html", "x-other"))
    return [f"Content-Type: text/{kind}; charset={charset}".encode(), f"Content-Transfer-Encoding: {how}".encode()], raw


def body(rng):
    if rng.random() < 0.6:
        return leaf(rng)
    out = b"preamble\n"
    for _ in range(rng.randrange(1, 4)):
        lines, raw = leaf(rng)
        if rng.random() < 0.2:
            lines = [b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64"]
            raw = base64.encodebytes(b"needle in an attachment")
        out += b"--b\n" + b"\n".join(lines) + b"\n\n" + raw + b"\n"
    return [b"Content-Type: multipart/mixed; boundary=b"], out + b"--b--\n"


def message(rng, n):
    address = b"%s <user%d@example.%s>" % (phrase(rng), rng.randrange(20), rng.choice((b"org", b"net")))
    lines, raw = body(rng)
    zone = rng.choice(("+0000", "-0800", "+1300", "+0530"))
    date = time.strftime("%a, %d %b %Y %H:%M:%S ", time.gmtime(1000000000 + rng.randrange(400) * 21600)) + zone
    fields = [b"From: " + address, b"Subject: " + phrase(rng), b"Date: " + date.encode(), b"Message-ID: <%d@x>" % n]
    for name, chance in (("To", 0.8), ("Cc", 0.3), ("Bcc", 0.2), ("X-Custom", 0.4), ("X-Empty", 0.2), ("X-Custom", 0.1)):
        if rng.random() < chance:
            fields.append(name.encode() + b": " + (b"" if name == "X-Empty" else phrase(rng)))
    rng.shuffle(fields)
    return b"\n".join(fields + lines) + b"\n\n" + raw


def fill(rng, top, n):
    make_maildir(top)
    for i in range(n):
        path = f"{top}/cur/{1000000000 + i}.M{i:06d}P1.x:2,{rng.choice(('', 'S', 'F', 'FS', 'RS', 'T', 'DS', 'DFRST'))}"
        with open(path, "wb") as f:
            f.write(message(rng, i))
        arrived = rng.choice((1100000000 + rng.randrange(400) * 21600, NOW - rng.randrange(20) * 43200 - 21600))
        os.utime(path, (arrived, arrived))


class Keys:
    """Random search programs as bytes."""

    FLAGS = ("ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN", "ALL",
             "KEYWORD two")
    TEXTS = ("BODY", "TEXT", "SUBJECT", "FROM", "TO", "CC", "BCC", "HEADER Subject", "HEADER X-Custom", "HEADER To", "HEADER Message-ID",
             "HEADER X-None", "HEADER X-Empty")

    def __init__(self, rng, messages):
        self.rng, self.messages = rng, messages

    def text(self):
        rng = self.rng
        word = rng.choice(WORDS + ("", "", "user1", "@example.net", "<3@x>", "zzz", "fill", "e two", "alpha beta", "a b"))
        if rng.random() < 0.3 and len(word) > 2:
            word = word[rng.randrange(len(word) - 1):]
        if word.upper() in "MISSING_MAILBOX@MISSING_DOMAIN":
            word = "alph"
        return rng.choice((word, word.upper(), word.lower())).encode("utf-8")

    def numbers(self):
        rng = self.rng
        return ",".join(rng.choice((str(rng.randrange(1, self.messages + 1)), "*", f"{rng.randrange(1, 9)}:{rng.randrange(9, 30)}", "7:*"))
                        for _ in range(rng.randrange(1, 4)))

    def string(self, raw):
        return b"{%d+}\r\n%s" % (len(raw), raw)

    def key(self, depth=0):
        rng = self.rng
        kind = rng.randrange(15 if depth < 4 else 12)
        if kind in (6, 7, 11) and kind in self.used:
            kind = 0
        self.used.add(kind)
        if kind < 2:
            flag = rng.choice(self.FLAGS)
            again, self.used = "flag" in self.used, self.used | {"flag"}
            return b"ALL" if again and depth else flag.encode()
        if kind < 5:
            return rng.choice(self.TEXTS).encode() + b" " + self.string(self.text())
        if kind == 5:
            day = time.gmtime(rng.choice((1000000000, 1100000000)) + rng.randrange(110) * 86400)
            return (rng.choice(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"))
                    + time.strftime(" %d-%b-%Y", day).replace(" 0", rng.choice((" ", " 0")))).encode()
        if kind == 6:
            return f"{rng.choice(('OLDER', 'YOUNGER'))} {rng.randrange(1, 20) * 43200}".encode()
        if kind == 7:
            return f"{rng.choice(('LARGER', 'SMALLER'))} {rng.randrange(900)}".encode()
        if kind == 8:
            return f"{rng.choice(('KEYWORD', 'UNKEYWORD'))} {rng.choice(('$one', 'two', 'TWO', '$none'))}".encode()
        if kind == 9:
            return rng.choice(("", "UID ")).encode() + self.numbers().encode()
        if kind == 10:
            return b"NOT " + self.key(depth + 1)
        if kind == 11:
            return rng.choice((b"NEW", b"OLD", b"RECENT"))
        if kind == 12:
            return b"OR " + self.key(depth + 1) + b" " + self.key(depth + 1)
        if kind == 13:
            return b"(" + b" ".join(self.key(depth + 1) for _ in range(rng.randrange(1, 4))) + b")"
        return b"NOT (" + self.key(depth + 1) + b" " + self.key(depth + 1) + b")"

    def search(self):
        self.used = set()  # kinds, those that may occur once only
        verb = self.rng.choice((b"SEARCH", b"UID SEARCH"))
        return verb + b" CHARSET UTF-8 " + b" ".join(self.key() for _ in range(self.rng.choice((1, 1, 1, 2, 3))))


def charsets(ours, theirs):
    """The program's own charset: the same characters in different bytes."""
    for charset, word in (("ISO-8859-1", "Caf\u00e9"), ("KOI8-R", "\u041f\u0440\u0438\u0432\u0435\u0442"), ("windows-1252", "\u00e5ngstr\u00f6m"),
                          ("utf-8", "STRASSE"), ("ISO-2022-JP", "\u65e5\u672c"), ("us-ascii", "needle")):
        raw = word.encode(charset)
        for key in ("TEXT", "SUBJECT", "BODY"):
            yield b"SEARCH CHARSET %s %s {%d+}\r\n%s" % (charset.encode(), key.encode(), len(raw), raw)
    yield b"SEARCH CHARSET x-nobody-knows ALL"
    yield b"SEARCH CHARSET"
    yield b"SEARCH RETURN (COUNT) CHARSET UTF-8 UNSEEN"


def meaning(tagged, untagged):
    """A status without its text; the numbers."""
    return [r.split() for r in untagged if r.startswith((b"* SEARCH", b"* ESEARCH"))], tagged.split()[0]


def main(seed, messages=60, searches=400):
    rng = random.Random(seed)
    different = 0
    with Pair(lambda top: fill(rng, top, messages)) as (ours, theirs):
        for client in (ours, theirs):
            client.select().say("STORE 1:20 +FLAGS.SILENT ($one)")
            client.say("STORE 10:30 +FLAGS.SILENT (Two)")
            client.select()  # what is recent at first differs; now nothing is
        keys = Keys(rng, messages)
        for command in list(charsets(ours, theirs)) + [keys.search() for _ in range(searches)]:
            a, b = meaning(*ours.ask(command)), meaning(*theirs.ask(command))
            if a != b:
                different += 1
                print(command.decode(errors="backslashreplace"), "\n  ours  ", a, "\n  theirs", b)
    assert not different, f"{different} differences, seed {seed}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(int(sys.argv[1]), *(int(word) for word in sys.argv[2:]))
    else:
        for number in range(1, 4):
            main(number, 60 * number, 400)
    print("search_keys: well")
