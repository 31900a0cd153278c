#!/usr/bin/env python3
# Also runs against the sanitize build.
"""APPEND, CATENATE and REPLACE at their limits: a full disk, huge and many literals, many parts.

Each is answered NO or BAD, nothing is half-written or left behind, the session goes on.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
SMALL = b"Subject: small\r\n\r\nx\r\n"


class Talk:
    def __init__(self, site):
        self.imap = site.imap(USER)
        self.sock, self.file = self.imap.sock, self.imap.file
        self.tag = 0

    def line(self):
        got = self.file.readline()
        assert got, "the session ended"
        return got

    def answer(self):
        while True:
            got = self.line()
            if got.startswith(b"t%d " % self.tag):
                return got[len(b"t%d " % self.tag):].strip()

    def send(self, data):
        self.tag += 1
        self.sock.sendall(b"t%d " % self.tag + data)

    def say(self, data):
        self.send(data + b"\r\n")
        return self.answer()

    def count(self):
        self.send(b"STATUS INBOX (MESSAGES)\r\n")
        got = self.line()
        while not got.startswith(b"* STATUS"):
            got = self.line()
        self.answer()
        return int(got.split(b"MESSAGES ")[1].split(b")")[0])


def literal(data):
    return b"{%d+}\r\n" % len(data) + data


def big(size):
    return b"Subject: big\r\n\r\n" + (b"y" * 998 + b"\r\n") * (size // 1000)


def nothing_left(site):
    tmp = site.maildir(USER) + "/tmp"
    wait_for(lambda: os.listdir(tmp) == [])


def fill(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.close(fd)


def refused(site, talk, data, count):
    got = talk.say(data)
    assert got.startswith(b"NO [OVERQUOTA]"), got
    nothing_left(site)
    assert talk.count() == count
    assert talk.say(b"NOOP").startswith(b"OK")


def while_it_comes(site, talk, mail):
    """The disk gets full between two halves of a literal."""
    data = big(500000)
    talk.send(b"APPEND INBOX {%d}\r\n" % len(data))
    assert talk.line().startswith(b"+ ")
    talk.sock.sendall(data[:200000])
    wait_for(lambda: sum(os.stat(f"{site.maildir(USER)}/tmp/{f}").st_size for f in os.listdir(f"{site.maildir(USER)}/tmp")) > 60000)
    fill(f"{mail}/filler")
    talk.sock.sendall(data[200000:] + b"\r\n")
    got = talk.answer()
    assert got.startswith(b"NO [OVERQUOTA]"), got
    nothing_left(site)
    os.unlink(f"{mail}/filler")


def full_disk(site, mail):
    talk = Talk(site)
    assert talk.say(b"APPEND INBOX " + literal(big(800000))).startswith(b"OK [APPENDUID")
    assert talk.say(b"APPEND INBOX " + literal(SMALL)).startswith(b"OK [APPENDUID")
    talk.send(b"APPEND INBOX {20000000}\r\n")
    assert talk.answer().startswith(b"NO [OVERQUOTA]")  # before it comes
    refused(site, talk, b"APPEND INBOX " + literal(big(6000000)), 2)
    refused(site, talk, b"APPEND INBOX " + b" ".join([literal(big(900000))] * 6), 2)
    refused(site, talk, b"APPEND INBOX CATENATE (" + b" ".join([b"URL /INBOX/;UID=1"] * 8) + b")", 2)
    refused(site, talk, b"APPEND INBOX " + literal(SMALL) + b" CATENATE (TEXT " + literal(SMALL) +
            b" URL /INBOX/;UID=1" * 8 + b" TEXT " + literal(SMALL) + b")", 2)
    assert talk.say(b"SELECT INBOX").startswith(b"OK")
    refused(site, talk, b"UID REPLACE 1 INBOX " + literal(big(6000000)), 2)
    refused(site, talk, b"UID REPLACE 1 INBOX CATENATE (" + b" ".join([b"URL ;UID=1"] * 8) + b")", 2)
    while_it_comes(site, talk, mail)
    assert talk.count() == 2
    fill(f"{mail}/filler")
    got = talk.say(b"UID REPLACE 2 INBOX " + literal(SMALL))
    assert got.startswith((b"NO", b"OK")), got
    os.unlink(f"{mail}/filler")
    assert talk.say(b"UID REPLACE 1 INBOX " + literal(SMALL)).startswith(b"OK")
    assert talk.count() == 2
    nothing_left(site)


def many(site):
    """Sizes and numbers that only an attacker sends."""
    talk = Talk(site)
    for size in (b"4294967296", b"1099511627776", b"900000000000000000"):
        talk.send(b"APPEND INBOX {%s}\r\n" % size)
        assert talk.answer().startswith(b"NO [TOOBIG]"), size
    assert talk.say(b"APPEND INBOX " + b" ".join([literal(SMALL)] * 600)).startswith(b"OK [APPENDUID")
    assert talk.count() == 600
    assert talk.say(b"APPEND INBOX CATENATE (" + b" ".join([b"URL /INBOX/;UID=7"] * 4000) + b")").startswith(b"OK [APPENDUID")
    assert talk.say(b"APPEND INBOX CATENATE (" + b" TEXT ".join([b"TEXT {1+}\r\nx"] + [b"{1+}\r\ny"] * 4000) + b")").startswith(b"OK")
    assert talk.say(b"APPEND INBOX CATENATE (" + b" ".join([b"URL /INBOX/;UID=7"] * 6000) + b")").startswith(b"BAD")
    assert talk.say(b"APPEND INBOX CATENATE (" + b" TEXT ".join([b"TEXT {1+}\r\nx"] + [b"{1+}\r\ny"] * 6000) + b")").startswith(b"BAD")
    assert talk.say(b"APPEND INBOX CATENATE " + b"(" * 40).startswith(b"BAD")
    assert talk.count() == 602
    nothing_left(site)


def with_full_disk():
    with Site(start=False) as site:
        mail = f"{site.dir}/mail"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=4m,mode=0700,uid={UID},gid={GID}", "none", mail],
                          capture_output=True).returncode != 0:
            print("full disk: skipped, cannot mount")
            return
        try:
            site.start()
            full_disk(site, mail)
        finally:
            site.stop()
            subprocess.run(["umount", "-l", mail], check=True)


with Site() as s:
    many(s)
if ROOT:
    with_full_disk()
else:
    print("full disk: skipped, not root")
print("append_full: well")
