#!/usr/bin/env python3
# Also runs against the sanitize build.
"""STARTTLS as attackers use it, in IMAP and LMTP: nothing said in clear may count inside TLS, and nothing goes back to clear."""
import os
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site, wait_for  # noqa: E402

USER = "anna@example.org"


class Talk:
    """One connection; everything read so far is in seen."""

    def __init__(self, site, port):
        self.site, self.sock, self.seen = site, socket.create_connection(("127.0.0.1", port), 10), b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)
        return self

    def until(self, word):
        """Reads until word has come; returns all that came since the last call."""
        got = b""
        while word not in got:
            more = self.sock.recv(65536)
            assert more, (got, "closed before", word)
            got += more
        return got

    def end(self):
        """All that comes until the peer closes."""
        got = b""
        try:
            while more := self.sock.recv(65536):
                got += more
        except (ConnectionResetError, ssl.SSLError):
            pass
        return got

    def tls(self, **options):
        context = self.site.tls()
        if "alpn" in options:
            context.set_alpn_protocols(options["alpn"])
        self.sock = context.wrap_socket(self.sock)
        return self


def imap(site):
    t = Talk(site, site.imap_port)
    t.greeting = t.until(b"\r\n")
    return t


def lmtp(site):
    t = Talk(site, site.lmtp_port)
    t.until(b"\r\n")
    return t


def test_pipelined(site):
    """1: a command in the same segment, whole or half; the connection ends before TLS."""
    for behind in (b"b NOOP\r\n", b"b NO", b"\r\n", b"b LOGIN anna@example.org secret\r\n"):
        with imap(site) as t:
            got = t.send(b"a STARTTLS\r\n" + behind).end()
            assert b"a OK" not in got and b"b " not in got and b"* BYE" in got, (behind, got)
    for behind in (b"MAIL FROM:<a@b>\r\n", b"M"):
        with lmtp(site) as t:
            t.send(b"LHLO x\r\n").until(b"PIPELINING\r\n")
            got = t.send(b"STARTTLS\r\n" + behind).end()
            assert got.startswith(b"501") and b"220" not in got and b"250" not in got, (behind, got)


def test_after_the_answer(site):
    """1, 13, 15, 16: plain text where the handshake belongs ends the connection, without a word in clear."""
    for make, ask, ok in ((imap, b"a STARTTLS\r\n", b"a OK"), (lmtp, b"STARTTLS\r\n", b"220")):
        for junk in (b"b NOOP\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 400, b"\x00" * 64):
            with make(site) as t:
                if make is lmtp:
                    t.send(b"LHLO x\r\n").until(b"PIPELINING\r\n")
                got = t.send(ask).until(b"\r\n")
                assert got.startswith(ok), got
                rest = t.send(junk).end()
                assert b"NOOP" not in rest and b"BYE" not in rest and b"OK" not in rest, rest
                assert rest == b"" or rest[:1] == b"\x15", ("not a TLS alert", rest)


def test_half_a_command(site):
    """2: a command in two segments, STARTTLS behind it: the session that began in clear stays in clear."""
    with imap(site) as t:
        t.send(b"b LOGIN anna@example.org ")
        t.send(b"secret\r\nc STARTTLS\r\n")
        got = t.until(b"\r\n")
        assert b"c OK Begin" not in got, got


def test_literals(site):
    """3, 4: STARTTLS inside a literal is data."""
    with imap(site) as t:
        t.send(b"a LOGIN {12}\r\n").until(b"+")
        got = t.send(b"a STARTTLS\r\n {6+}\r\nsecret\r\n").until(b"\r\n")
        assert b"Begin TLS" not in got, got
    with site.imap(USER) as i:
        i.send(b"x APPEND INBOX {14}\r\n")
        i.readline()
        i.send(b"a STARTTLS\r\nxx\r\n")
        assert i.readline().startswith(b"x OK")
        i.logout()


def test_words(site):
    """5, 6, 7, 18: arguments, twice, after login, bare LF."""
    with imap(site) as t:
        assert b"a BAD" in t.send(b"a STARTTLS now\r\n").until(b"\r\n")
        t.send(b"b STARTTLS\r\n").until(b"OK Begin")
        t.tls()
        assert b"c BAD" in t.send(b"c STARTTLS\r\n").until(b"\r\n")
        assert b"d OK" in t.send(b"d LOGIN anna@example.org secret\r\n").until(b"d OK")
        assert b"e BAD" in t.send(b"e STARTTLS\r\n").until(b"\r\n")
    with lmtp(site) as t:
        t.send(b"LHLO x\r\n").until(b"PIPELINING\r\n")
        assert t.send(b"STARTTLS now\r\n").until(b"\r\n").startswith(b"501")
        t.send(b"STARTTLS\r\n").until(b"220")
        t.tls()
        got = t.send(b"LHLO x\r\n").until(b"PIPELINING\r\n")
        assert b"STARTTLS" not in got, got
        assert t.send(b"STARTTLS\r\n").until(b"\r\n").startswith(b"503")
        assert t.send(b"NOOP\n").until(b"\r\n").startswith(b"500")


def test_sasl_and_idle(site):
    """8, 9: in an exchange and in IDLE the word is a wrong answer."""
    with imap(site) as t:
        t.send(b"a AUTHENTICATE PLAIN\r\n").until(b"+")
        got = t.send(b"b STARTTLS\r\n").until(b"\r\n")
        assert b"a BAD" in got or b"a NO" in got, got
    with imap(site) as t:
        t.send(b"a LOGIN anna@example.org secret\r\n").until(b"a OK")
        t.send(b"b SELECT INBOX\r\n").until(b"b OK")
        t.send(b"c IDLE\r\n").until(b"+")
        got = t.send(b"d STARTTLS\r\n").until(b"\r\n")
        assert b"c BAD" in got or b"BAD" in got, got


def test_state_is_forgotten(site):
    """10, 11, 12: LHLO, MAIL and capabilities start anew."""
    with lmtp(site) as t:
        t.send(b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<anna@example.org>\r\n").until(b"2.1.5")
        t.send(b"STARTTLS\r\n").until(b"220")
        t.tls()
        assert t.send(b"RCPT TO:<anna@example.org>\r\n").until(b"\r\n").startswith(b"503")
        assert t.send(b"MAIL FROM:<a@b>\r\n").until(b"\r\n").startswith(b"503")
        t.send(b"LHLO y\r\n").until(b"PIPELINING\r\n")
        assert t.send(b"DATA\r\n").until(b"\r\n").startswith(b"503")
    with imap(site) as t:
        assert b"PREAUTH" not in t.greeting and b"STARTTLS" in t.greeting
        t.send(b"a STARTTLS\r\n").until(b"OK Begin")
        t.tls()
        got = t.send(b"b CAPABILITY\r\n").until(b"b OK")
        assert b"STARTTLS" not in got and b"AUTH=PLAIN" in got, got


def test_truncation(site):
    """14: the end of the connection in an APPEND literal stores nothing, with close_notify or without."""
    for polite in (True, False):
        before = len(os.listdir(site.maildir(USER) + "/cur")) + len(os.listdir(site.maildir(USER) + "/new"))
        with imap(site) as t:
            t.send(b"a STARTTLS\r\n").until(b"OK Begin")
            t.tls()
            t.send(b"b LOGIN anna@example.org secret\r\n").until(b"b OK")
            t.send(b"c APPEND INBOX {1000}\r\n").until(b"+")
            t.send(b"Subject: half\r\n\r\n")
            if polite:
                try:
                    t.sock.settimeout(0.2)
                    t.sock.unwrap()
                except (OSError, ssl.SSLError):
                    pass
        wait_for(lambda: os.listdir(site.maildir(USER) + "/tmp") == [])
        assert len(os.listdir(site.maildir(USER) + "/cur")) + len(os.listdir(site.maildir(USER) + "/new")) == before


def test_wrong_port(site):
    """19: TLS on the plain port gets no word; IMAP on the TLS port an alert at most."""
    for port in (site.imap_port, site.lmtp_port):
        with Talk(site, port) as t:
            t.until(b"\r\n")
            got = t.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 200).end()
            assert got == b"", got
    with Talk(site, site.imaps_port) as t:
        got = t.send(b"a LOGIN anna@example.org secret\r\n").end()
        assert b"OK" not in got and b"BAD" not in got, got


def test_alpn(site):
    """20: our word, none, or the alert; any server name."""
    for words, good in ((["imap"], True), (["http/1.1", "imap"], True), (["http/1.1"], False), (["pop3", "h2"], False)):
        with Talk(site, site.imaps_port) as t:
            try:
                t.tls(alpn=words)
                assert b"* OK" in t.until(b"\r\n")
                assert good and t.sock.selected_alpn_protocol() == "imap", words
            except ssl.SSLError as e:
                assert not good, (words, e)
    context = site.tls()
    for name in ("localhost", "nobody.example", "a" * 60 + ".example", "x\\"):
        with socket.create_connection(("127.0.0.1", site.imaps_port), 10) as raw:
            try:
                with context.wrap_socket(raw, server_hostname=name) as s:
                    assert s.recv(4) == b"* OK"
            except ValueError:
                pass  # the client's library knows better


def test_compress_before_login(site):
    """21."""
    with imap(site) as t:
        assert b"a BAD" in t.send(b"a COMPRESS DEFLATE\r\n").until(b"\r\n")


def test_clear_passwords(site):
    """17: where passwords are not taken in clear, a login before STARTTLS is refused and nothing of it stays."""
    with imap(site) as t:
        assert b"LOGINDISABLED" in t.greeting and b"AUTH=" not in t.greeting, t.greeting
        for line in (b"a LOGIN anna@example.org secret\r\n", b"a AUTHENTICATE PLAIN AGFubmEAc2VjcmV0\r\n"):
            got = t.send(line).until(b"a ")
            assert b"a OK" not in got, got
        t.send(b"s STARTTLS\r\n").until(b"OK Begin")
        t.tls()
        assert b"c OK" in t.send(b"c LOGIN anna@example.org secret\r\n").until(b"c ")


with Site({USER: "secret"}) as site:
    site.deliver(USER, b"Subject: one\r\n\r\nbody\r\n")
    for name, test in sorted(globals().items()):
        if name.startswith("test_") and name != "test_clear_passwords":
            test(site)
with Site({USER: "secret"}, extra="ssl = required\n") as site:
    test_clear_passwords(site)
print("starttls: well")
