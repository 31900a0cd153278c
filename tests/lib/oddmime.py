"""Messages as nobody should write them, from a random generator: the same seed gives the same ones.

    oddmime.message(random.Random(7))    # bytes
"""
import base64

WORDS = ("alpha", "beta", "Gamma", "gr\u00fc\u00df", "caf\u00e9", "\u20acuro", "delta", "x" * 70, "plan", "one", "two", "")
CHARSETS = ("utf-8", "iso-8859-1", "US-ASCII", "windows-1252", "koi8-r", "x-nobody", "\"utf-8\"", "utf-16", "shift_jis", "")
ADDRESSES = ("a@b", "Zed <z@x.example>", '"Bob, B" <bob@y>', "=?utf-8?q?=C3=84nne=2C_X?= <anne@q>", "x", "g: a@b, c@d;", "undisclosed-recipients:;",
             "<@r1,@r2:foo@bar>", "a@b (comment)", "(c (nested) d) e@f", "A B <>", "<no@end", "\"quo\\\"te\" <q@q>", "=?bad?x?y?= <w@w>",
             "first last@x", "a@[127.0.0.1]", "t\u00e4st <t@t>", "=?iso-8859-1?q?=FCber?= =?iso-8859-1?q?all?= <u@u>", "Name <a@b>, , c@d",
             "g1: g2@x, Zed <z@x>; , tail@y", '"unended <q@q>', "a@b; c@d", "<a@b> trailing", "\"\" <e@e>", "Long " + "name " * 30 + "<l@l>")
TYPES = ("text/plain", "text/html", "TEXT/Plain", "image/png", "application/octet-stream", "message/delivery-status", "text", "text/", "/plain",
         "te xt/plain", "application/x-\u00fc", "audio/basic", "text/x-y.z+w", "message/partial; id=x; number=1", "message/external-body; access-type=x")
ENCODINGS = ("7bit", "8bit", "binary", "base64", "quoted-printable", "BASE64", "Quoted-Printable", "x-uuencode", "", "base64 (comment)", "\"base64\"", "7-bit")
PARAMETERS = ("name=\"a b.txt\"", "name=plain.txt", "name*=utf-8'en'%e2%82%ac.txt", "name*0=abc; name*1=def", "name*0*=utf-8''%C3%A4; name*1=\"x y\"; name*2*=%20z",
              "name*1=b; name*0=a", "name=a; name=b", "name=", "name", "=value", "name=\"unended", "format=flowed; delsp=yes", "x=" + "y" * 300,
              "name=\"=?utf-8?q?=C3=A4?=.txt\"", "charset=utf-8; charset=us-ascii", "name=a/b", "name*0=abc; name*2=ghi", ";; name=x", "name=\"tab\there\"",
              "name=(c)x(d)", "na(c)me=x", "name=\u00e4.txt", "name*=us-ascii'%ZZ", "name=\"back\\\\slash\\\"\"")
DATES = ("Mon, 7 Feb 1994 21:52:25 -0800", "1 Feb 2000 10:00:00 +0100", "garbage", "", "Tue, 29 Feb 2001 25:61:61 +9999", "Wed, 02 Feb 00 23:30 EST",
         "Thu,\r\n 3 Feb 2000 00:00:00 GMT (comment)", "2000-02-03 00:00:00")


class Maker:
    def __init__(self, rng):
        self.rng, self.parts = rng, 0
        self.line = rng.choice((b"\n", b"\r\n", None))  # None: now this, now that

    def chance(self, share):
        return self.rng.random() < share

    def eol(self):
        return self.line or self.rng.choice((b"\n", b"\r\n"))

    def text_of(self, text):
        return text.encode(self.rng.choice(("utf-8", "latin-1")), "replace")

    # --- header fields

    def field(self, name, value):
        value = self.text_of(value)
        if self.chance(0.25):
            value = value.replace(b" ", self.rng.choice((b"\n ", b"\n\t", b" \n  ", b"\n \n ")), self.rng.choice((1, 99)))
        if self.chance(0.08):
            value = b"(" + self.rng.choice((b"comment", b"a \\) b", b"n (e) s", b"")) + b") " + value
        between = self.rng.choice((b": ",) * 8 + (b":", b" : ", b":\t", b":  "))
        name = name if self.chance(0.85) else self.rng.choice((name.upper(), name.lower()))
        return name.encode() + between + value.replace(b"\r\n", b"\n")

    def words(self):
        kind, text = self.rng.randrange(6), " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(0, 5)))
        if kind == 0:
            return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?= {self.rng.choice(WORDS)}"
        if kind == 1:
            return "=?iso-8859-1?q?" + "".join(c if c.isalnum() and ord(c) < 128 else f"={ord(c) & 255:02X}" for c in text) + "?="
        if kind == 2:
            return self.rng.choice(("=?utf-8?x?aa?=", "=?utf-8?b?!!!?=", "=?nobody?q?abc?=", "=?utf-8?q?unended", "=?utf-8?q?a?==?utf-8?q?b?= c", "Re: Fwd: ")) + text
        return text

    def envelope_fields(self):
        fields = [self.field("Subject", self.words())]
        for name in ("From", "To", "Cc", "Bcc", "Reply-To", "Sender"):
            if self.chance(0.5 if name in ("Cc", "Bcc", "Sender") else 0.85):
                fields.append(self.field(name, ", ".join(self.rng.choice(ADDRESSES) for _ in range(self.rng.choice((1, 1, 2, 3))))))
        if self.chance(0.8):
            fields.append(self.field("Date", self.rng.choice(DATES)))
        if self.chance(0.8):
            fields.append(self.field("Message-ID", self.rng.choice((f"<{self.rng.getrandbits(40):x}@x>", "<a b@c>", "no brackets", "<un@ended", "<a@b> <c@d>"))))
        for name in ("In-Reply-To", "References"):
            if self.chance(0.3):
                fields.append(self.field(name, self.rng.choice(("<a@b>", "<a@b> <c@d>", "your mail <e@f>", "(c) <g@h>", ""))))
        if self.chance(0.2):
            fields.append(self.field(self.rng.choice(("X-Odd", "Received", "Subject", "X-Long")), self.words() + " z" * self.rng.choice((1, 500))))
        if self.chance(0.06):
            fields.append(self.rng.choice((b"no colon here", b" begins folded", b": no name", b"Bad Name: x", b"X-Nul: a\0b", b"X-\xe4: 8")))
        self.rng.shuffle(fields)
        return fields

    def mime_fields(self, content_type, encoding):
        fields = []
        if content_type is not None:
            parameters = "".join("; " + self.rng.choice(PARAMETERS) for _ in range(self.rng.choice((0, 0, 1, 2))))
            fields.append(self.field("Content-Type", content_type + (parameters if self.chance(0.6) else "")))
        if encoding is not None:
            fields.append(self.field("Content-Transfer-Encoding", encoding))
        if self.chance(0.25):
            fields.append(self.field("Content-Disposition", self.rng.choice(("attachment", "inline", "ATTACHMENT", "x-y", "", "attachment x")) + "; " +
                                     self.rng.choice(PARAMETERS).replace("name", "filename")))
        for name, values in (("Content-ID", ("<i@x>", "", "a b")), ("Content-Description", ("what", "", "=?utf-8?q?=C3=A4?=")), ("Content-MD5", ("Q2hlY2s=",)),
                             ("Content-Language", ("de", "de, en", "de;en", "", "(c) fr")), ("Content-Location", ("http://x/y", "a b")), ("MIME-Version", ("1.0", "9"))):
            if self.chance(0.12):
                fields.append(self.field(name, self.rng.choice(values)))
        self.rng.shuffle(fields)
        return fields

    def head(self, fields, end=True):
        data = b"".join(f.replace(b"\n", self.eol()) + self.eol() for f in fields)
        return data + (self.eol() if end else b"")

    # --- bodies

    def plain(self, encoding):
        text = b"".join(self.text_of(" ".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(0, 8)))) + self.eol()
                        for _ in range(self.rng.choice((0, 1, 1, 3, 12))))
        if self.chance(0.15):
            text = text.rstrip(b"\r\n")
        if "64" in encoding.lower():
            text = base64.encodebytes(text).replace(b"\n", self.eol())
            text = self.damage(text, (b"!", b"=", b"====", b"-- ", b"\x80", b" "))
        elif "printable" in encoding.lower():
            text = b"".join(bytes([c]) if 31 < c < 127 and c != 61 or c in (10, 13) else b"=%02X" % c for c in text)
            text = self.damage(text, (b"=", b"=ZZ", b"=4", b"= " + self.eol(), b"=" + self.eol(), b"\xe4", b" " + self.eol(), b"=3d"))
        elif self.chance(0.1):
            text += self.rng.choice((b"\0", b"a\rb", b"--", b"From here" + self.eol(), b"\xff\xfe", b"."))
        return text

    def damage(self, text, pieces):
        for _ in range(self.rng.choice((0, 0, 1, 2))):
            at = self.rng.randint(0, len(text))
            text = text[:at] + self.rng.choice(pieces) + text[at:]
        return text

    def boundary(self, outer):
        kind = self.rng.randrange(7)
        if outer and kind == 0:
            return outer[-1] + "x"        # the outer one is a prefix of it
        if outer and kind == 1 and len(outer[-1]) > 1:
            return outer[-1][:-1]         # or the other way round
        if outer and kind == 2 and self.chance(0.3):
            return outer[-1]
        return self.rng.choice(("b", "=_x", "a b", "0123456789" * 7, "q'()+_,-./:=?")) + str(self.rng.randint(0, 99))

    def delimiter(self, boundary, end=False):
        if self.chance(0.04):
            return b"-" + boundary.encode()
        return b"--" + boundary.encode() + (b"--" if end else b"") + (self.rng.choice((b" ", b"\t ", b"x")) if self.chance(0.06) else b"")

    def multipart(self, depth, outer):
        boundary = self.boundary(outer)
        data = self.rng.choice((b"", b"", b"preamble" + self.eol()))
        kids = self.rng.choice((0, 1, 2, 2, 3))
        for _ in range(kids):
            data += self.delimiter(boundary) + self.eol()
            data += self.part(depth + 1, outer + [boundary])
            data += self.eol() if self.chance(0.95) else b""
        if self.chance(0.9):
            data += self.delimiter(boundary, True) + (self.eol() if self.chance(0.9) else b"")
            data += self.rng.choice((b"", b"epilogue" + self.eol()))
        quoted = f'"{boundary}"' if not boundary.isalnum() or self.chance(0.7) else boundary
        shown = f"multipart/{self.rng.choice(('mixed', 'alternative', 'digest', 'related', 'MIXED', 'x-y'))}"
        if self.chance(0.97):
            shown += f"; {self.rng.choice(('boundary', 'BOUNDARY', 'boundary', 'boundary*0'))}={quoted}"
        return shown, data

    def part(self, depth, outer):
        """Header and body."""
        self.parts += 1
        kind = self.rng.random()
        if depth < 6 and self.parts < 40 and kind < (0.55 if depth == 0 else 0.3):
            shown, body = self.multipart(depth, outer)
            return self.head(self.mime_fields(shown, self.rng.choice((None, None, "7bit", "base64"))), self.chance(0.98)) + body
        if depth < 6 and kind < (0.65 if depth == 0 else 0.45):
            shown = self.rng.choice(("message/rfc822", "Message/RFC822", "message/global", "message/rfc822; x=y"))
            return self.head(self.mime_fields(shown, self.rng.choice((None, "7bit", "8bit", "base64"))), self.chance(0.98)) + self.message(depth + 1, outer)
        shown = self.rng.choice(TYPES)
        if self.chance(0.5):
            shown += f"; charset={self.rng.choice(CHARSETS)}"
        encoding = self.rng.choice(ENCODINGS)
        fields = self.mime_fields(shown if self.chance(0.85) else None, encoding if self.chance(0.7) else None)
        if self.chance(0.05):
            return self.rng.choice((b"", self.eol()))
        return self.head(fields, self.chance(0.96)) + self.plain(encoding)

    def message(self, depth=0, outer=()):
        whole = self.part(depth, list(outer))
        return self.head(self.envelope_fields(), False) + whole


def message(rng):
    return Maker(rng).message()
