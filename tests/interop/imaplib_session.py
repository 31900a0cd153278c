#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Python's imaplib through the whole server: TLS both ways, LMTP in, IDLE heard, two clients, big messages."""
import imaplib
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site, messages  # noqa: E402

USER = "anna@example.org"


def test_tls(site):
    imap = site.imap(USER, tls=True)
    imap.select("INBOX")
    imap.logout()
    imap = site.imap(USER, login=False)
    imap.starttls(site.tls())
    imap.login(USER, "secret")
    assert "STARTTLS" not in imap.capabilities
    imap.logout()
    imap = site.imap(USER, login=False)
    imap.authenticate("PLAIN", lambda ignored: f"\0{USER}\0secret".encode())
    imap.logout()
    imap = site.imap(USER, login=False)
    try:
        imap.login(USER, "wrong")
        raise AssertionError("a wrong password was taken")
    except imaplib.IMAP4.error as e:
        assert "AUTHENTICATIONFAILED" in str(e), e


def test_big(site):
    """10 MB over TLS, in and out, byte for byte; in pieces too."""
    text = b"Subject: big\r\n\r\n" + os.urandom(32).hex().encode() + b"\r\n" + (b"x" * 70 + b"\r\n") * 140000
    imap = site.imap(USER, tls=True)
    assert imap.append("INBOX", r"(\Seen)", imaplib.Time2Internaldate(1700000000), text)[0] == "OK"
    count = imap.select("INBOX")[1][0].decode()
    _, data = imap.fetch(count, "(RFC822.SIZE INTERNALDATE BODY.PEEK[])")
    assert data[0][1] == text
    assert f"RFC822.SIZE {len(text)}".encode() in data[0][0]
    piece = imap.fetch(count, "(BODY.PEEK[]<1000000.65536>)")[1][0][1]
    assert piece == text[1000000:1065536]
    imap.logout()
    site.deliver(USER, text)
    imap = site.imap(USER, tls=True)
    count = imap.select("INBOX")[1][0].decode()
    _, data = imap.fetch(count, "(BODY.PEEK[])")
    assert data[0][1].endswith(text)
    imap.logout()


def test_idle(site):
    imap = site.imap(USER)
    count = int(imap.select("INBOX")[1][0])
    imap.send(b"i1 IDLE\r\n")
    assert imap.readline().startswith(b"+ ")
    sent = []

    def deliver():
        time.sleep(0.2)
        sent.append(time.monotonic())
        site.deliver(USER, b"Subject: while idle\r\n\r\n.\r\n")
    thread = threading.Thread(target=deliver)
    thread.start()
    line = imap.readline()
    took = time.monotonic() - sent[0]
    assert line == b"* %d EXISTS\r\n" % (count + 1), line
    assert took < 5, took
    thread.join()
    imap.send(b"DONE\r\n")
    while not imap.readline().startswith(b"i1 OK"):
        pass
    imap.logout()


def test_foreign_mail(site):
    """A file that another program drops into new/ appears in IDLE and has a UID."""
    imap = site.imap(USER)
    count = int(imap.select("INBOX")[1][0])
    imap.send(b"i1 IDLE\r\n")
    imap.readline()
    base = f"{site.maildir(USER)}"
    with open(f"{base}/tmp/1.foreign.host", "w") as f:
        f.write("Subject: foreign\n\nline\n")
    if os.geteuid() == 0:
        owner = os.stat(base)
        os.chown(f"{base}/tmp/1.foreign.host", owner.st_uid, owner.st_gid)
    os.rename(f"{base}/tmp/1.foreign.host", f"{base}/new/1.foreign.host")
    line = imap.readline()
    assert line == b"* %d EXISTS\r\n" % (count + 1), line
    imap.send(b"DONE\r\n")
    while not imap.readline().startswith(b"i1 OK"):
        pass
    assert [t for _, t in messages(imap) if t == b"Subject: foreign\r\n\r\nline\r\n"]
    imap.logout()


def test_two_clients(site):
    one, two = site.imap(USER), site.imap(USER, tls=True)
    one.select("INBOX")
    two.select("INBOX")
    one.store("1", "+FLAGS", r"(\Flagged $Label1)")
    two.noop()
    heard = two.response("FETCH")[1]
    assert any(rb"\Flagged" in h and b"$Label1" in h for h in heard if h), heard
    one.store("1", "+FLAGS", r"(\Deleted)")
    one.expunge()
    # Numbers keep their meaning until the EXPUNGE is told; the lost message is told as such (RFC 2180 section 4.1).
    status, before = two.fetch("1:*", "(UID)")
    assert status == "NO" and two.response("EXPUNGE")[1] == [None], (status, before)
    two.response("FETCH")
    two.noop()
    assert two.response("EXPUNGE")[1] == [b"1"]
    status, after = two.fetch("1:*", "(UID)")
    assert status == "OK" and after[0].startswith(b"1 (UID "), after
    one.logout()
    two.logout()


with Site({USER: "secret"}) as site:
    for n in range(5):
        site.deliver(USER, f"Subject: {n}\r\n\r\nbody\r\n".encode())
    test_tls(site)
    test_big(site)
    test_idle(site)
    test_foreign_mail(site)
    test_two_clients(site)
print("imaplib: well")
