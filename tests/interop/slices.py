#!/usr/bin/env python3
"""While a large message, plain or compressed, or a compressed mbox, is looked into, for whatever it is wanted, others in the same
worker are served; what is found a slice at a time is the truth; who goes away in the middle harms nobody."""
import gzip
import os
import random
import re
import select
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testsite import GID, ROOT, UID, Site  # noqa: E402

USER = "anna@example.org"
rng = random.Random(5)
as_it_is = bytes


def put(path, content):
    """As another program would leave it, long ago."""
    with open(path, "wb") as f:
        f.write(content)
    os.utime(path, (1e9, 1e9))
    if ROOT:
        os.chown(path, UID, GID)


def served_meanwhile(imap, other, what):
    """Is NOOP answered before this command is?"""
    imap.send(b"x " + what.encode() + b"\r\n")
    assert other.noop()[0] == "OK"
    first = not select.select([imap.sock], [], [], 0)[0] or b"x OK" not in imap.sock.recv(1 << 16, socket.MSG_PEEK)
    while not (line := imap.readline()).startswith(b"x "):
        assert line, what
    assert line.startswith(b"x OK"), (what, line)
    return first


def patience(pack, size):
    with Site({USER: "secret"}) as site:
        imap, other = site.imap(USER), site.imap(USER)
        imap.select("INBOX")
        cur = f"{site.maildir(USER)}/cur"
        large = (b"Subject: number 5\nMessage-ID: <5@x>\nContent-Transfer-Encoding: 8bit\n\n" + rng.randbytes(1000).hex().encode() +
                 b"\n" + b"0123456789abcdef\n" * (size // 17))
        put(f"{cur}/1.large:2,S", pack(large))
        for what in ("UID FETCH * (RFC822.SIZE)", "UID FETCH * (BODY.PEEK[]<0.30>)", "UID FETCH * (BINARY.SIZE[1])", "UID FETCH * (PREVIEW)",
                     "SEARCH BODY nothing", "SORT (SUBJECT) UTF-8 BODY 0123", "THREAD REFS UTF-8 TEXT nothing", "STATUS INBOX (SIZE)"):
            for _ in range(20):
                imap.select("INBOX")
                if served_meanwhile(imap, other, what):
                    break
                for name in os.listdir(cur):  # as if it had never been looked at
                    os.rename(f"{cur}/{name}", f"{cur}/{rng.random()}:2,S")
            else:
                raise AssertionError(f"{what}: nobody is served meanwhile")
            for name in os.listdir(cur):
                os.rename(f"{cur}/{name}", f"{cur}/{rng.random()}:2,S")
        imap.select("INBOX")
        imap.send(b"x UID FETCH * (BODY.PEEK[1])\r\n")
        other.noop()
        imap.sock.close()
        other.select("INBOX")
        assert other.uid("FETCH", "*", "(BODY.PEEK[]<0.17>)")[1][0][1] == b"Subject: number 5"
        other.logout()


def composed(number, size):
    """A message and its parts: long lines, boundaries that are none, a message inside, an empty one."""
    body = b"--b1 no boundary\n" + b"x" * 70000 + b"\r\n-\n--\n" + b"line of %d\n" % number * 1000
    parts = [body * (size // len(body) // 4 + k) + b"end" for k in range(4)]
    inner = b"Subject: inside\n\n" + b"-" * (1 << 20) + b"\n--b--b\n"
    text = b"Subject: composed %d\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b b\"\n\npreamble\n" % number
    for part in parts:
        text += b"--b b\nContent-Type: text/x-%d\n\n" % number + part + b"\n"
    text += b"--b b\nContent-Type: message/rfc822\n\n" + inner + b"\n--b b\n\n\n--b b--\nbehind\n"
    return text, parts + [inner, b""]


def wire(text):
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def answer(imap, tag):
    """All lines up to the tagged one."""
    lines = []
    while not lines or not lines[-1].startswith(tag + b" "):
        lines.append(imap.readline())
        assert lines[-1], lines
    return lines


def truth():
    """Several at once, more than are held in memory at a time; two give up; then all is as it should be, made anew and from the cache."""
    with Site({USER: "secret"}) as site:
        first = site.imap(USER)
        first.select("INBOX")
        mails = [composed(n, size) for n, size in enumerate((40 << 20, 18 << 20, 20 << 20, 3 << 20))]
        for n, (text, _) in enumerate(mails):
            put(f"{site.maildir(USER)}/cur/{n}.m:2,S", text)
        first.select("INBOX")
        sessions = [site.imap(USER) for _ in range(6)]
        for n, imap in enumerate(sessions):
            imap.select("INBOX")
            imap.send((f"x UID FETCH {n % 3 + 1} (RFC822.SIZE)\r\n", f"x UID FETCH {n % 3 + 1} (BODY.PEEK[6])\r\n",
                       "x UID SEARCH BODY \"of 2\"\r\n", "x UID FETCH 1:4 (BODYSTRUCTURE)\r\n")[n % 4].encode())
        for imap in sessions[:2]:
            first.noop()
            imap.sock.close()
        assert answer(sessions[2], b"x")[0].split() == [b"*", b"SEARCH", b"3"]
        structures = answer(sessions[3], b"x")[:-1]
        assert len(structures) == 4, structures
        for imap in sessions[4:]:
            assert b"RFC822.SIZE" in answer(imap, b"x")[0] or imap is sessions[5]
        for again in (False, True):
            for uid, (text, parts) in enumerate(mails, 1):
                got = first.uid("FETCH", str(uid), "(RFC822.SIZE BODYSTRUCTURE)")[1][0]
                assert int(re.search(rb"RFC822.SIZE (\d+)", got)[1]) == len(wire(text)), uid
                assert re.search(rb"BODYSTRUCTURE.*", structures[uid - 1])[0].strip() in got, (structures[uid - 1], got)
                assert [int(n) for n in re.findall(rb'"7bit" (\d+)', got)][:4] == [len(wire(p)) for p in parts[:4]], got
                for number, part in enumerate(parts, 1):
                    got = first.uid("FETCH", str(uid), f"(BODY.PEEK[{number}])")[1][0]
                    assert (got[1] if isinstance(got, tuple) else b"") == wire(part), (uid, number)
            if not again:
                first.logout()
                site.stop()
                site.start()
                first = site.imap(USER)
                first.select("INBOX")
        first.logout()


def archive():
    """A compressed mbox, before anything of it is known, and when only its bytes are missing."""
    with Site({USER: "secret"}, extra="mail_location = mbox:~/mail:INBOX=~/inbox\n") as site:
        imap, other = site.imap(USER), site.imap(USER)
        imap.create("Here")
        line = b"From a@b Mon Jan  1 00:00:00 2024\nSubject: %d\nMessage-ID: <%d@x>\n\n"
        packed = gzip.compress(b"".join(line % (n, n) + b"some text of %06d\n" % n * 600 + b"\n" for n in range(5000)), 1)
        for what in ("EXAMINE {}", "STATUS {} (MESSAGES)"):
            for n in range(20):
                put(f"{site.home(USER)}/mail/{what[0]}{n}.gz", packed)
                if served_meanwhile(imap, other, what.format(f"{what[0]}{n}.gz")):
                    break
            else:
                raise AssertionError(f"{what}: nobody is served meanwhile")
        imap.logout()
        other.logout()
        site.stop()
        site.start()
        other, box = site.imap(USER), f"{what[0]}{n}.gz"
        for _ in range(20):
            imap = site.imap(USER)
            imap.select(box, True)
            if served_meanwhile(imap, other, "FETCH 4000 (BODY.PEEK[]<0.50>)"):
                break
            imap.logout()
        else:
            raise AssertionError("FETCH: nobody is served meanwhile")
        got = imap.fetch("4000", "(RFC822.SIZE BODY.PEEK[])")[1][0][1]
        assert got == b"Subject: 3999\r\nMessage-ID: <3999@x>\r\n\r\n" + b"some text of 003999\r\n" * 600, got[:200]
        assert len(imap.search(None, "ALL")[1][0].split()) == 5000
        imap.logout()
        other.logout()


patience(as_it_is, 40 << 20)
patience(lambda text: gzip.compress(text, 1), 30 << 20)
truth()
archive()
