#!/usr/bin/env python3
# Also runs against the sanitize build.
"""LMTP where it hurts: order of replies, odd line ends, a full disk, workers that die, users that may not be, details."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USERS = {f"{name}@example.org": "secret" for name in ("anna", "bob", "carla")}
DETAIL = "recipient_delimiter = +\nlmtp_save_to_detail_mailbox = yes\nlda_mailbox_autocreate = yes\n"


class Lmtp:
    """Says lines, hears replies: [code and text]."""

    def __init__(self, site):
        self.sock = socket.create_connection(("127.0.0.1", site.lmtp_port), 60)
        self.file = self.sock.makefile("rb")
        self.reply()
        self.say("LHLO test")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def reply(self):
        while True:
            line = self.file.readline()
            assert line, "the server closed"
            if line[3:4] != b"-":
                return line.decode().rstrip("\r\n")

    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def begin(self, *rcpts):
        assert self.say("MAIL FROM:<sender@example.net>").startswith("250")
        return [self.say(f"RCPT TO:<{r}>")[:3] for r in rcpts]

    def data(self, body, replies):
        assert self.say("DATA").startswith("354")
        self.sock.sendall(body)
        return [self.reply() for _ in range(replies)]


def files(site, user):
    box = site.maildir(user)
    found = []
    for sub in ("new", "cur"):
        if os.path.isdir(f"{box}/{sub}"):
            found += [f"{box}/{sub}/{f}" for f in os.listdir(f"{box}/{sub}")]
    return found


def body_of(path):
    with open(path, "rb") as f:
        return re.sub(rb"\A(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*?)*?(?=Subject)", b"", f.read())


def test_limits(site):
    """A thousand recipients, lines of 2048 octets, twenty bad commands in a row."""
    with Lmtp(site) as lmtp:
        codes = lmtp.begin(*["anna@example.org"] * 1001)
        assert codes == ["250"] * 1000 + ["452"], codes[-3:]
        assert lmtp.say("RSET").startswith("250")
        assert lmtp.say("MAIL FROM:<" + "x" * 3000).startswith("500")
        assert lmtp.say("NOOP").startswith("250")
        bad = [lmtp.say("X")[:3] for _ in range(20)]
        assert bad == ["500"] * 20 and lmtp.reply().startswith("421"), bad
    assert files(site, "anna@example.org") == []


def test_order(site):
    """Replies in the order of RCPT; refused ones have none; the same user twice has two."""
    names = ["carla", "anna", "nobody", "bob", "anna"]
    with Lmtp(site) as l:
        codes = l.begin(*(f"{n}@example.org" for n in names))
        assert codes == ["250", "250", "550", "250", "250"], codes
        replies = l.data(b"Subject: order\r\n\r\nx\r\n.\r\n", 4)
        assert [re.search(r"<(\w+)@", r).group(1) for r in replies] == ["carla", "anna", "bob", "anna"], replies
        assert all(r.startswith("250 2.0.0") for r in replies), replies
        assert l.say("NOOP").startswith("250")
    assert len(files(site, "anna@example.org")) == 2


def test_odd_bytes(site):
    """Bare CR, bare LF and NUL are data and end nothing."""
    for f in files(site, "bob@example.org"):
        os.unlink(f)
    with Lmtp(site) as l:
        l.begin("bob@example.org")
        odd = b"Subject: odd\r\n\r\na\n.\nb\r.\rc\r\n.\nd\n.\r\ne\0f\r.\r\n..g\r\n"
        (reply,) = l.data(odd + b".\r\n", 1)
        assert reply.startswith("250"), reply
        assert l.say("NOOP").startswith("250 2.0.0"), "something inside the message was taken for commands"
    (path,) = files(site, "bob@example.org")
    got = body_of(path)
    assert b"e\0f" in got and got.endswith(b".g\n"), got
    assert b"\n.\nb\r.\rc\n" in got, got


def test_killed_worker(site):
    """A worker killed between RCPT and the dot, at any moment: 451 or a message that is there."""
    for moment in range(4):
        before = len(files(site, "anna@example.org"))
        with Lmtp(site) as l:
            assert l.begin("anna@example.org") == ["250"]
            if moment > 0:
                assert l.say("DATA").startswith("354")
            if moment > 1:
                l.sock.sendall(b"Subject: killed\r\n\r\nbody\r\n" * (200000 if moment == 3 else 1))
            serving = [line.split("\t") for line in site.ctl("status") if "serving" in line]
            for fields in serving:
                os.kill(int(fields[2]), signal.SIGKILL)
            assert serving
            wait_for(lambda: not any(os.path.exists(f"/proc/{f[2]}") for f in serving))
            if moment == 0:
                assert l.say("DATA").startswith("354")
            l.sock.sendall(b"end\r\n.\r\n")
            assert l.reply().startswith("451"), moment
            assert l.begin("anna@example.org") == ["250"]
            (reply,) = l.data(b"Subject: again\r\n\r\n.\r\n", 1)
            assert reply.startswith("250"), reply
        assert len(files(site, "anna@example.org")) == before + 1


def test_details(site):
    """A detail names a folder if it can, and never a place outside of the mail."""
    top = sorted(os.listdir(site.dir))
    home = site.home("anna@example.org")
    for detail in ("..", "../..", "../../x", "a/../../x", "/etc", "a/b", ".", "a.b", "~", "x" * 200, "&", "%2e%2e/x", "cur", "a//b"):
        with Lmtp(site) as l:
            codes = l.begin(f'"anna+{detail}"@example.org')
            if codes != ["250"]:
                assert codes[0][0] in "45", (detail, codes)
                continue
            (reply,) = l.data(b"Subject: detail\r\n\r\nx\r\n.\r\n", 1)
            assert reply.startswith("250"), (detail, reply)
    assert sorted(os.listdir(site.dir)) == top
    assert os.listdir(home) == ["Maildir"], os.listdir(home)
    assert sorted(os.listdir(f"{site.dir}/mail")) == ["example.org"]
    for user in USERS:
        assert not os.path.exists(site.home(user) + "/x")
    with Lmtp(site) as l:
        l.begin("anna+Lists@example.org")
        (reply,) = l.data(b"Subject: detail\r\n\r\nx\r\n.\r\n", 1)
        assert reply.startswith("250"), reply
    assert os.listdir(site.maildir("anna@example.org") + "/.Lists/new")
    for odd in ('"anna/../bob"@example.org', '"../anna"@example.org', "anna@../example.org", '".."@example.org', '""@example.org'):
        with Lmtp(site) as l:
            assert l.begin(odd)[0][0] in "45", odd


def test_detail_without_folder(site):
    """Where folders are not made by deliveries, mail to an unknown detail goes to INBOX: it is not sent back."""
    with Lmtp(site) as l:
        before = len(files(site, "anna@example.org"))
        l.begin("anna+unknown@example.org")
        (reply,) = l.data(b"Subject: detail\r\n\r\nx\r\n.\r\n", 1)
        assert reply.startswith("250"), reply
        assert len(files(site, "anna@example.org")) == before + 1


def test_low_uid():
    """A uid below the bound: refused for now, and the log names setting and value."""
    with Site(USERS, start=False) as site:
        conf = site.template.replace("uid={uid} gid", "uid=77 gid")
        site.template = conf
        site.write_conf()
        site.start()
        with Lmtp(site) as l:
            assert l.begin("anna@example.org") == ["451"]
        assert re.search(r"uid 77 is below first_valid_uid=\d+", site.log()), site.log()


def test_full_disk():
    """A full disk is 452 for that message, leaves nothing behind, and mail flows again when there is room."""
    if not ROOT:
        print("full disk: skipped, not root")
        return
    with Site(USERS, start=False) as site:
        mail = f"{site.dir}/mail"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=3m,mode=0700,uid={UID},gid={GID}", "none", mail],
                          capture_output=True).returncode != 0:
            print("full disk: skipped, cannot mount")
            return
        try:
            site.start()
            with Lmtp(site) as l:
                for _ in range(3):
                    l.begin("anna@example.org", "bob@example.org")
                    replies = l.data(b"Subject: big\r\n\r\n" + (b"y" * 998 + b"\r\n") * 4000 + b".\r\n", 2)
                    assert all(r.startswith("452 4.3.1") for r in replies), replies
                    assert l.say("NOOP").startswith("250")
            for user in USERS:
                tmp = site.maildir(user) + "/tmp"
                assert files(site, user) == []
                wait_for(lambda: not os.path.isdir(tmp) or os.listdir(tmp) == [])
            site.deliver("anna@example.org", b"Subject: small\r\n\r\nx\r\n")
            assert len(files(site, "anna@example.org")) == 1
            fd = os.open(f"{mail}/filler", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while True:
                    os.write(fd, b"x" * 4096)
            os.close(fd)
            with Lmtp(site) as l:
                codes = l.begin("anna@example.org", "carla@example.org")
                if "250" in codes:
                    for reply in l.data(b"Subject: none\r\n\r\n" + b"z" * 5000 + b"\r\n.\r\n", codes.count("250")):
                        assert reply[:3] in ("451", "452"), reply
            os.unlink(f"{mail}/filler")
            site.deliver("carla@example.org", b"Subject: small\r\n\r\nx\r\n")
        finally:
            site.stop()
            subprocess.run(["umount", "-l", mail], check=True)


with Site(USERS, extra=DETAIL) as site:
    site.deliver("anna@example.org", b"Subject: one\r\n\r\nbody\r\n")
    test_killed_worker(site)
    for u in USERS:
        for f in files(site, u):
            os.unlink(f)
    test_limits(site)
    test_order(site)
    test_odd_bytes(site)
    test_details(site)
with Site(USERS, extra=DETAIL.replace("autocreate = yes", "autocreate = no")) as site:
    site.deliver("anna@example.org", b"Subject: one\r\n\r\nbody\r\n")
    test_detail_without_folder(site)
test_low_uid()
test_full_disk()
print("lmtp edges: well")
