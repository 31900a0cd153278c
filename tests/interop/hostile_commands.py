#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Clients that mean harm after they have logged in: deep, wide, long and costly commands.

Each is answered, or ends its own session only; the next command and other users are served, the worker's memory comes
back to what it was. As in hostile_mail.py no clock is asked but the worker's processor time, with a very wide margin.

Usage: hostile_commands.py [-v]
"""
import os
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, SANITIZED, UID, Site, wait_for  # noqa: E402

USER, OTHER = "anna@example.org", "ben@example.org"
SHOW = "-v" in sys.argv
CPU_MAX = 5.0
MESSAGES = 300
MIB = 1 << 20


def worker_sum(site, what):
    return sum(what(pid) for pid in site.kids("roost-worker"))


def cpu(site):
    def of(pid):
        with open(f"/proc/{pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    return worker_sum(site, of) / os.sysconf("SC_CLK_TCK")


def memory(site):
    """KiB in RAM that belong to the workers alone."""
    def of(pid):
        with open(f"/proc/{pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))
    return worker_sum(site, of)


class Client:
    def __init__(self, site, user=USER):
        self.imap = site.imap(user)
        self.imap.sock.settimeout(120)
        self.imap.select("INBOX")

    def say(self, data):
        """The tagged answer, or "BYE ..." when the connection ends. Literals that the server asks for are not sent."""
        try:
            self.imap.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        bye = ""
        while True:
            try:
                line = self.imap.file.readline()
            except ConnectionResetError:
                line = b""
            if not line:
                return bye or "closed"
            if line.startswith(b"* BYE"):
                bye = line[2:].decode().strip()
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                self.imap.file.read(int(literal[1]))
            if line.startswith((b"t ", b"* BAD")):
                return line[2:].decode().strip()
            if line.startswith(b"+"):
                return "continue"


def wide(n, item, between=b" "):
    return between.join([item] * n)


# name, bytes, what the answer must look like
ATTACKS = (
    ("depth 32", b"t SEARCH " + b"(" * 32 + b"ALL" + b")" * 32 + b"\r\n", "OK"),
    ("depth 33", b"t SEARCH " + b"(" * 33 + b"ALL" + b")" * 33 + b"\r\n", "BAD .*nested"),
    ("depth 100000", b"t SEARCH " + b"(" * 100000 + b"\r\n", "BAD .*nested"),
    ("depth without end", b"t FETCH 1 " + b"(" * 30 + b"\r\n", "BAD"),
    ("NOT 9000", b"t SEARCH " + b"NOT " * 9000 + b"ALL\r\n", "NO|BAD|OK"),
    ("OR 4500 to the right", b"t SEARCH " + b"OR SUBJECT zz " * 3000 + b"ALL\r\n", "NO|BAD|OK"),
    ("OR 4500 to the left", b"t SEARCH " + b"OR " * 4500 + b"ALL " * 4501 + b"\r\n", "NO|BAD|OK"),
    ("OR NOT 3000", b"t SEARCH " + b"OR NOT " * 2000 + b"SEEN " * 2001 + b"\r\n", "NO|BAD|OK"),
    ("keys 9990", b"t SEARCH " + wide(9990, b"SEEN") + b"\r\n", "OK"),
    ("arguments 10001", b"t SEARCH " + wide(10001, b"SEEN") + b"\r\n", "BAD .*arguments"),
    ("texts 400", b"t SEARCH " + b" ".join(b"TEXT x%d" % i for i in range(400)) + b"\r\n", "OK|NO"),
    ("text 60 KiB", b"t SEARCH TEXT \"" + b"a" * 61440 + b"\"\r\n", "OK"),
    ("text 1 MiB", b"t SEARCH TEXT \"" + b"a" * (MIB - 100) + b"\"\r\n", "NO .*too long"),
    ("line of 1 MiB", b"t NOOP" + b" " * (MIB - 10) + b"\r\n", "OK"),
    ("line beyond 1 MiB", b"t NOOP" + b" " * (MIB + 10) + b"\r\n", "BAD .*too long"),
    ("line of 64 MiB", b"t NOOP " + b"x" * (64 * MIB) + b"\r\n", "BAD .*too long"),
    ("literals beyond 1 MiB", b"t SEARCH" + b" TEXT {100000+}\r\n" * 1 + b"a" * 100000
     + (b" TEXT {100000+}\r\n" + b"a" * 100000) * 15 + b"\r\n", "BAD|NO"),
    ("literal of 2^63", b"t SEARCH TEXT {9223372036854775807}\r\n", "BAD|BYE"),
    ("literal of 10^30", b"t SEARCH TEXT {1000000000000000000000000000000}\r\n", "BAD|BYE"),
    ("literal that will not be skipped", b"t SEARCH TEXT {2000000000+}\r\n", "BAD|BYE"),
    ("literals of nothing", b"t SEARCH" + b" {0+}\r\n" * 9000 + b"\r\n", "BAD|NO"),
    ("set of a million", b"t FETCH " + b",".join(b"%d" % (i % MESSAGES + 1) for i in range(250000)) + b" UID\r\n", "OK"),
    ("set backwards", b"t UID FETCH " + b",".join(b"%d" % i for i in range(140000, 1, -2)) + b" UID\r\n", "OK"),
    ("set of wholes", b"t UID FETCH " + wide(200000, b"1:*", b",") + b" UID\r\n", "OK"),
    ("set too large", b"t FETCH 4294967296 UID\r\n", "BAD"),
    ("items 9000", b"t FETCH 1 (" + wide(9000, b"FLAGS") + b")\r\n", "OK|BAD|NO"),
    ("sections 2000", b"t FETCH 1:3 (" + b" ".join(b"BODY.PEEK[HEADER.FIELDS (a%d)]" % i for i in range(2000)) + b")\r\n", "OK|NO"),
    ("fields 9000", b"t FETCH 1:3 BODY.PEEK[HEADER.FIELDS (" + b" ".join(b"a%d" % i for i in range(9000)) + b")]\r\n", "OK|NO"),
    ("section path", b"t FETCH 1 BODY.PEEK[" + wide(100000, b"1", b".") + b"]\r\n", "BAD|NO|OK"),
    ("section number", b"t FETCH 1 BODY.PEEK[99999999999]\r\n", "BAD"),
    ("partial", b"t FETCH 1 BODY.PEEK[]<18446744073709551615.18446744073709551615>\r\n", "BAD"),
    ("partial at the end", b"t FETCH 1 BODY.PEEK[]<9223372036854775807.9223372036854775807>\r\n", "OK"),
    ("keywords 1001", b"t STORE 1 +FLAGS (" + b" ".join(b"k%d" % i for i in range(1001)) + b")\r\n", "NO|BAD"),
    ("keyword long", b"t STORE 1 +FLAGS (" + b"k" * 100000 + b")\r\n", "NO|BAD"),
    ("keywords 900 for all", b"t STORE 1:* +FLAGS.SILENT (" + b" ".join(b"k%d" % i for i in range(900)) + b")\r\n", "OK|NO"),
    ("list stars", b"t LIST \"\" \"" + b"*%" * 50000 + b"x\"\r\n", "OK|BAD|NO"),
    ("list percents", b"t LIST \"\" \"" + b"%a" * 50000 + b"\"\r\n", "OK|BAD|NO"),
    ("list patterns", b"t LIST \"\" (" + wide(5000, b"*a*a*a*a*b") + b")\r\n", "OK|BAD|NO"),
    ("lsub stars", b"t LSUB \"\" \"" + b"*" * 100000 + b"\"\r\n", "OK|BAD|NO"),
    ("name long", b"t CREATE " + b"a" * 100000 + b"\r\n", "NO|BAD"),
    ("name deep", b"t CREATE " + b"a." * 50000 + b"a\r\n", "NO|BAD"),
    ("name of bits", b"t CREATE \"&" + b"AAAA" * 10000 + b"-\"\r\n", "NO|BAD"),
    ("name up", b"t CREATE ../../../x\r\n", "NO|BAD"),
    ("status items", b"t STATUS INBOX (" + wide(9000, b"MESSAGES") + b")\r\n", "OK|BAD"),
    ("sort keys 5000", b"t SORT (" + wide(5000, b"SUBJECT") + b") UTF-8 ALL\r\n", "OK|BAD|NO"),
    ("thread of all", b"t THREAD REFERENCES UTF-8 " + wide(9000, b"ALL") + b"\r\n", "OK"),
    ("enable", b"t ENABLE QRESYNC\r\n", "OK"),
    ("qresync line", b"t SELECT INBOX (QRESYNC (1 1 " + b",".join(b"%d" % i for i in range(1, 250000, 2)) + b"))\r\n", "OK"),
    ("id 30 pairs", b"t ID (" + b" ".join(b'"f%d" "v"' % i for i in range(30)) + b")\r\n", "OK"),
    ("id 4000 pairs", b"t ID (" + b" ".join(b'"f%d" "v"' % i for i in range(4000)) + b")\r\n", "OK|BAD|NO"),
    ("id long", b"t ID (\"name\" \"" + b"v" * 500000 + b"\")\r\n", "OK|BAD|NO"),
    ("enable words", b"t ENABLE " + wide(9000, b"X-Y") + b"\r\n", "OK"),
    ("tag long", b"t" * 100000 + b" NOOP\r\n", "BAD"),
    ("command long", b"t " + b"N" * 100000 + b"\r\n", "BAD"),
    ("NUL", b"t NOOP\0\r\n", "BAD|BYE"),
    ("8-bit", b"t \xff\xfe\r\n", "BAD"),
    ("bare CR", b"t NO\rOP\r\n", "BAD"),
    ("only CRs", b"\r" * 100000 + b"\nt NOOP\r\n", "BAD|OK"),
    ("append without end", b"t APPEND INBOX (" + wide(9000, b"x") + b") {10+}\r\n0123456789\r\n", "NO|BAD"),
    ("appends of nothing", b"t APPEND INBOX" + b" {0+}\r\n" * 5000 + b"\r\n", "NO|BAD|OK"),
)


def test_attacks(site):
    client, wrong = Client(site), []
    for name, data, want in ATTACKS:
        before = cpu(site)
        answer = client.say(data)
        used = cpu(site) - before
        if SHOW:
            print(f"{used:5.2f} s {memory(site):7d} KiB  {name}: {answer[:90]}", flush=True)
        if not re.match(want, answer) or used > CPU_MAX:
            wrong.append((name, used, answer[:300]))
        if not answer.startswith("OK") and client.say(b"t NOOP\r\n") not in ("OK NOOP completed.",):
            client = Client(site)
        assert Client(site, OTHER).say(b"t LOGOUT\r\n")
    assert not wrong, wrong


def test_memory_comes_back(site):
    """What large commands took is given back when they are over; a client that reads nothing holds a bounded buffer."""
    client = Client(site)
    before = memory(site)
    for _ in range(20):
        client.say(b"t SEARCH " + wide(9990, b"SEEN") + b"\r\n")
        client.say(b"t NOOP" + b" " * (MIB - 10) + b"\r\n")
    client.imap.sock.sendall(b"t FETCH 1:* BODY[]\r\n" * 3000)
    other = Client(site)
    for _ in range(5):
        assert other.say(b"t NOOP\r\n").startswith("OK")
    assert SANITIZED or memory(site) < before + 8192, (before, memory(site))


def sizes(folder):
    return {os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder)}


def test_abort_everywhere(site):
    """A reset behind every seventh byte of a session: nothing half done is left, no descriptor, no file."""
    script = (b"a SELECT INBOX\r\nb APPEND Aborted (\\Seen) {20+}\r\nSubject: x\r\n\r\nbody\r\n {20+}\r\nSubject: y\r\n\r\nbody\r\n\r\n"
              b"c APPEND Aborted CATENATE (TEXT {15+}\r\nSubject: z\r\n\r\nt URL \"/INBOX/;UID=1/;SECTION=TEXT\")\r\n"
              b"d FETCH 1:* (BODY.PEEK[] ENVELOPE)\r\ne UID SEARCH RETURN (SAVE) TEXT xxx\r\nf COPY 1:50 Aborted\r\n"
              b"g STORE 1:* +FLAGS.SILENT ($Half)\r\nh COMPRESS DEFLATE\r\n")
    client = Client(site)
    client.say(b"t CREATE Aborted\r\n")
    pids = site.kids("roost-worker")
    before = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
    for n in range(0, len(script) + 1, 21 if SANITIZED else 7):
        imap = site.imap(USER)
        imap.sock.sendall(script[:n])
        if n % 2:
            time.sleep(0.005)
        imap.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        imap.sock.close()
    tmp = site.maildir(USER) + "/.Aborted/tmp"
    wait_for(lambda: os.listdir(tmp) == [] == os.listdir(site.maildir(USER) + "/tmp"))
    wait_for(lambda: sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids) <= before + 2)
    assert client.say(b"t SELECT Aborted\r\n").startswith("OK")
    whole = sizes(site.maildir(USER) + "/cur")
    made = {17, min(whole) - len("Subject: 0\nFrom: a@b\n\n") + len("Subject: z\n\nt")}
    assert sizes(site.maildir(USER) + "/.Aborted/cur") <= whole | made


def test_bad_commands(site):
    """Twenty bad commands, then BYE; a good one in between does not help."""
    client = Client(site)
    answers = [client.say(b"t NOOP x\r\n" if i % 2 else b"t WHAT\r\n") for i in range(22)]
    assert any(a.startswith(("BYE", "closed")) for a in answers), answers


def test_sessions(site):
    """Sessions with half a command each: the others are served still."""
    clients = [site.imap(USER) for _ in range(8)]
    for c in clients:
        c.sock.sendall(b"t SEARCH TEXT {500000+}\r\n" + b"x" * 400000)
    assert Client(site).say(b"t NOOP\r\n").startswith("OK")
    for c in clients:
        c.sock.close()


with Site({USER: "secret", OTHER: "secret"}) as site:
    Client(site).imap.logout()
    for i in range(MESSAGES):
        with open(f"{site.maildir(USER)}/cur/{i}.M1P1.x:2,", "w") as f:
            f.write(f"Subject: {i}\nFrom: a@b\n\nbody\n" + 30 * ("x" * 72 + "\n"))
        os.chown(f.name, UID, GID)
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test(site)
print("hostile_commands: well")
