#!/usr/bin/env python3
"""CATENATE (RFC 4469) to us and to Debian's Dovecot 2.3: the same messages must come out of it.

Usage: catenate.py [SEED [COMMANDS]]

Random parts, sections and partials of odd mail, in a few mailboxes, selected and not, with MULTIAPPEND; some URLs are bad.
Differences that are meant:

 1. How it is refused: BAD or NO, and with which code, is not compared; a section that is none is NO [CANNOT] for Dovecot.
 2. Parts that a message has not. RFC 4469 4.1: BADURL for an "invalid body part"; Dovecot appends nothing for them. Not played.
 3. An empty message. We refuse it, as an empty literal; Dovecot takes one that CATENATE makes. Not played.
 4. A mailbox that Dovecot has not looked into holds no messages for its CATENATE. All are selected once at first.
 5. The second octet of a header that is nothing but its empty line is LF (RFC 3501 6.4.5); Dovecot's FETCH and CATENATE
    make it CR. Not played.
"""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testpair import Pair, make_maildir  # noqa: E402

MAIL = (
    b"Subject: plain\nTo: a@b\n\nline one\nline two\n",
    b"Subject: no body\n",
    b"Subject: mixed\nContent-Type: multipart/mixed; boundary=x\n\npreamble\n--x\n\nfirst\n--x\n"
    b"Content-Type: text/html\nX-Odd: y\n\n<p>second\n--x\nContent-Type: message/rfc822\n\nSubject: inner\n"
    b"Content-Type: multipart/alternative; boundary=z\n\n--z\n\ndeep\n--z\n\ndeeper\n--z--\n\n--x--\nepilogue\n",
    b"Subject: long\n\n" + b"".join(b"%05d %s\n" % (n, b"y" * (n % 77)) for n in range(3000)),
)
HEADERS = ("HEADER", "TEXT", "HEADER.FIELDS%20(Subject)", "HEADER.FIELDS.NOT%20(subject%20to)")
SECTIONS = {
    1: HEADERS + ("1", "1.MIME"),
    2: ("HEADER", "TEXT"),
    3: HEADERS + ("1", "2", "3", "1.MIME", "2.MIME", "3.HEADER", "3.TEXT", "3.1", "3.2.MIME", "3.HEADER.FIELDS%20(SUBJECT)"),
    4: HEADERS + ("1",),
}
BOXES = ("INBOX", "Work", "Entw&APw-rfe")


def status(answer):
    """OK, NO or BAD, and the word of its code."""
    found = re.match(rb"(OK|NO|BAD)( \[(\S+))?", answer[0])
    return found[1], found[3]


def url(rng, selected):
    box = rng.choice(("INBOX", "Work", "Entw%C3%BCrfe", "INBOX", "Work", "INBOX", "Work", "Nowhere"))
    parts = f"/{box}/;UID=" if not selected or rng.random() < 0.7 else ";UID="
    uid = rng.choice((1, 2, 3, 4, 3, 3, 4, 99))
    parts += str(uid)
    if rng.random() < 0.7:
        parts += "/;SECTION=" + rng.choice(SECTIONS.get(uid, HEADERS) + (("FOO",) if rng.random() < 0.1 else ()))
    if rng.random() < 0.3:
        first = rng.choice((0, 1, 5, 100, 70000))
        parts += f"/;PARTIAL={first + (first == 1 and 'FIELDS.NOT' in parts)}"
        if rng.random() < 0.8:
            parts += f".{rng.choice((1, 10, 1000, 100000))}"
    return f'URL "{parts}"'.encode()


def catenate(rng, selected):
    parts = [b"TEXT {%d+}\r\n%s" % (len(t), t) if rng.random() < 0.4 else url(rng, selected)
             for t in (rng.choice((b"a", b"Subject: new\r\n\r\n", b"--x\r\n", b"\r\n")) for _ in range(rng.randrange(1, 5)))]
    parts.insert(rng.randrange(len(parts) + 1), b"TEXT {1+}\r\nx")
    return b"CATENATE (" + b" ".join(parts) + b")"


def command(rng, selected):
    messages = [catenate(rng, selected) if rng.random() < 0.8 else b"{6+}\r\nA: b\r\n" for _ in range(rng.choice((1, 1, 1, 2)))]
    return b"APPEND Sink " + b" (\\Seen) ".join(messages)


def play(rng, ours, theirs, n):
    taken = 0
    selected = False
    for c in (ours, theirs):
        for box in BOXES:
            c.ask(b"EXAMINE " + box.encode())
        c.ask(b"UNSELECT")
    for _ in range(n):
        if rng.random() < 0.1:
            selected = rng.choice((False, b"INBOX", b"Work"))
            for c in (ours, theirs):
                c.ask(b"EXAMINE " + selected if selected else b"UNSELECT")
        c = command(rng, selected)
        a, b = status(ours.ask(c)), status(theirs.ask(c))
        assert (a[0] == b"OK") == (b[0] == b"OK"), (c, a, b)
        taken += a[0] == b"OK"
    for c in (ours, theirs):
        c.say(b"EXAMINE Sink")
    assert taken
    got = [[re.sub(rb"FLAGS \([^)]*\)", b"", r) for r in c.say(b"UID FETCH 1:* (RFC822.SIZE BODY.PEEK[])")] for c in (ours, theirs)]
    for a, b in zip(*got):
        assert a == b, (a, b)
    assert len(got[0]) == len(got[1])
    return taken


def fill(top):
    for box in (*BOXES, "Sink"):
        path = top if box == "INBOX" else f"{top}/.{box}"
        make_maildir(path)
        if path != top:
            open(f"{path}/maildirfolder", "w").close()
        for i, text in enumerate(MAIL if box != "Sink" else ()):
            with open(f"{path}/cur/{1000000000 + i}.M{i:06d}P1.x:2,", "wb") as f:
                f.write(text)


def main(seed, n):
    with Pair(fill) as (ours, theirs):
        print(play(random.Random(seed), ours, theirs, n), "of", n, "taken by both")


number = int(sys.argv[1]) if len(sys.argv) > 1 else 4
print("seed", number)
main(number, int(sys.argv[2]) if len(sys.argv) > 2 else 60)
print("catenate: well")
