#!/usr/bin/env python3
"""Where a message of an mbox begins and ends: files that Dovecot and Roost see for the first time have the same messages, of the same
sizes and bytes; else UIDs would change when mail goes from one to the other. From_ lines right and wrong, and made so at random; line
ends of all kinds at the end of the file; Content-Length true and false. And what is last in a file is the same when others have appended.

What differs on purpose (doc/formats.md): zones in a date, and empty lines before the first message."""
import imaplib
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import GID, ROOT, UID, Site, skip  # noqa: E402

USER = "anna@example.org"
LOCATION = "mbox:~/mail:INBOX=~/inbox"
FROM = "From eve@example.net Fri Jan  5 12:12:12 1996\n"
# JOE stands for "From joe@example.org".
LINES = r"""
JOE Fri Jan  5 12:12:12 1996;JOE Fri Jan 5 12:12:12 1996;JOE Fri Jan 05 12:12:12 1996;JOE Fri Jan   5 12:12:12 1996
JOE  Fri Jan  5 12:12:12 1996;JOE    Fri Jan  5 12:12:12 1996;JOE Fri  Jan  5 12:12:12 1996;JOE Fri Jan 5  12:12:12 1996
JOE Fri Jan  5 12:12 1996;JOE Fri Jan  5 2:12:12 1996;JOE Fri Jan  5 12:1:12 1996;JOE Fri Jan  5 12:12:1 1996;JOE Fri Jan  5 12:12:12
JOE Fri Jan  5 12:12:12 EST 1996;JOE Fri Jan  5 12:12:12 +0100 1996;JOE Fri Jan  5 12:12:12 MET DST 1996;JOE Fri Jan  5 12:12 EST 1996
JOE Fri Jan  5 12:12:12 GMT-0200 1996;JOE Fri Jan  5 12:12:12 Europe/Berlin 1996;JOE Fri Jan  5 12:12:12 PM 1996
JOE Fri Jan  5 12:12:12 1996 +0100;JOE Fri Jan  5 12:12:12 1996 -0130;JOE Fri Jan  5 12:12:12 1996 est;JOE Fri Jan  5 12:12:12 1996 (EST)
JOE Fri Jan  5 12:12:12 1996 and more;JOE Fri Jan  5 12:12:12 1996 remote from host;From host!joe Fri Jan  5 12:12 1996 remote from a b
JOE Fri Jan  5 12:12:12 96;JOE Fri Jan  5 12:12:12 019;JOE Fri Jan  5 12:12:12 19960;JOE Fri Jan  5 12:12:12 2039;JOE Fri Jan  5 12:12:12 1996,
JOE Fri Jan 42 12:12:12 1996;JOE Fri Jan 99 12:12:12 1996;JOE Fri Jan  0 12:12:12 1996;JOE Fri Feb 31 12:12:12 1996;JOE Fri Jan 105 12:12:12 1996
JOE Fri Jan 42 12:12:12 1996 +0000;JOE Fri Feb 29 12:12:12 1995 +0000;JOE Fri Feb 29 12:12:12 1996 +0000;JOE Fri Jan  5 24:00:00 1996 +0000
JOE Fri Jan  5 12:60:00 1996 +0000;JOE Fri Jan  5 12:12:60 1996 +0000;JOE Fri Jan  5 12:12:61 1996 +0000;JOE Fri Jan  0 12:12:12 1996 +0000
JOE Fri Jan  5 24:00:00 1996;JOE Fri Jan  5 77:12:12 1996;JOE Fri Jan  5 12:77:12 1996;JOE Fri Jan  5 12:12:77 1996;JOE Fri Jan  5 12 1996
JOE Fri Jan  x 12:12:12 1996;JOE Fri Jan  5 12:12:12:12 1996;JOE Fri Jan  5 12.12.12 1996;JOE Fri Foo  5 12:12:12 1996;JOE Foo Jan  5 12:12:12 1996
JOE fri jan  5 12:12:12 1996;JOE FRI JAN  5 12:12:12 1996;JOE Friday Jan  5 12:12:12 1996;JOE Fri January  5 12:12:12 1996;JOE Jan  5 12:12:12 1996
JOE Fri, 5 Jan 1996 12:12:12 +0000;JOE Fri, 05 Jan 1996 12:12:12 -0300;JOE Fri, 5 Jan 1996 12:12:12 GMT;JOE Fri, 5 Jan 1996 12:12
JOE Fri, 5 Jan 96 12:12:12 +0000;JOE Fri 5 Jan 1996 12:12:12;JOE Fri 05 Jan 1996 12:12:12;JOE Fri, 42 Jan 1996 12:12:12 +0000;JOE Fri,  5 Jan 1996 12:12:12
JOE 5 Jan 1996 12:12:12 +0000;JOE Fri, Jan 5 12:12:12 1996;JOE Fri, 42 Jan 1996 12:12:12;JOE Fri, 5 Jan 1996 77:12:12;JOE 1996-01-05 12:12:12
From "joe doe"@example.org Fri Jan  5 12:12:12 1996;From "joe \" doe"@example.org Fri Jan  5 12:12:12 1996;From "joe Fri Jan  5 12:12:12 1996
From joe doe Fri Jan  5 12:12:12 1996;From Joe Doe <joe@example.org> Fri Jan  5 12:12:12 1996;From <joe@example.org> Fri Jan  5 12:12:12 1996
From Fri Jan  5 12:12:12 1996;From  Fri Jan  5 12:12:12 1996;From   joe  Fri Jan  5 12:12:12 1996;From - Fri Jan  5 12:12:12 1996
From ???@??? Fri Jan  5 12:12:12 1996;From here on it is prose;From the Fri Jan  5 12:12:12 1996, it was;From: joe Fri Jan  5 12:12:12 1996
from joe Fri Jan  5 12:12:12 1996;>From joe Fri Jan  5 12:12:12 1996;From@joe Fri Jan  5 12:12:12 1996;JOE Fri Jan 5, 1996 12:12:12
""".strip().replace("JOE", "From joe@example.org").replace("\n", ";").split(";")
LINES += [f"From {'x' * n} Fri Jan  5 12:12:12 1996" for n in (300, 1000, 8000, 9000)] + [FROM[:-1] + "\r"]


def mail(subject, head="", body="body\n", end="\n"):
    return f"{FROM}Subject: {subject}\n{head}\n{body}{end}"


def crlf(text):
    return text.replace("\n", "\r\n")


def ends():
    """Of files: each way a body may end, before the next message and before the end of the file."""
    for body in ("", "\n", "body", "body\n", "body\n\n"):
        for end in ("", "\n", "\n\n"):
            yield mail("a") + mail("b", body=body, end=end)
            yield mail("a", body=body, end=end) + mail("b")
    yield from (mail("a") + FROM + rest for rest in ("", "Subject: b", "Subject: b\n", "Subject: b\n" + mail("c")))
    yield mail("a") + FROM[:-1]
    yield mail("a", end="")


def lengths():
    """A Content-Length that is true, and others."""
    quoted = "body\n" + mail("q")
    for claim in ("0", "3", "4", "5", "6", "7", "-1", "+5", "5x", "99999999", "000005"):
        for end in ("", "\n", "\n\n"):
            for after in ("", mail("z"), "From here on it is prose\n"):
                yield mail("a") + mail("b", head=f"Content-Length: {claim}\n", end=end) + after
    for head in ("Content-Length: {}", "Content-Length:   {}", "Content-Length: {}  ", "Content-Length:{}", "Content-Length : {}",
                 "Content-Length: 5\nContent-Length: {}", "Content-Length: {}\nContent-Length: 5", "Content-Length: x\nContent-Length: {}"):
        for end, after in (("", ""), ("\n", ""), ("\n", mail("z"))):
            yield mail("a") + mail("b", head=head.format(len(quoted)) + "\n", body=quoted, end=end) + after
    whole = len(mail("z"))
    for off in (-2, -1, 0, 1):
        yield mail("b", head=f"Content-Length: {6 + whole + off}\n") + mail("z")


def in_lines(lines):
    """Each line where a message may begin."""
    return mail("first") + "".join(f"{line}\nSubject: e{i}\n\ntext\n\n" for i, line in enumerate(lines))


def odd_lines(rng, n):
    for _ in range(n):
        line = rng.choice([line for line in LINES if len(line) < 200])
        for _ in range(rng.choice([1, 1, 2, 3])):
            at, put = rng.randrange(5, len(line)), rng.choice(" \t:,+-\"\\?0123456789aFJE")
            line = line[:at] + rng.choice([line[at + 1:], put + line[at:], put + line[at + 1:]])
        if "31 23:59:59 1969" not in line:  # of which Dovecot thinks that it is none
            yield line


def files():
    rng = random.Random(3)
    texts = [in_lines([line]) + mail("last") for line in LINES]
    texts += [in_lines(list(odd_lines(rng, 200))) for _ in range(5)]
    plain = [*ends(), *lengths()]
    texts += plain + [crlf(text) for text in plain]
    return {f"f{i}": text for i, text in enumerate(texts)}


def look(imap, name):
    """Sizes, dates and bytes."""
    assert imap.select(name)[0] == "OK", name
    found = []
    said = imap.uid("FETCH", "1:*", "(UID INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
    for item in said:
        line, text = item if isinstance(item, tuple) else (item, b"")  # BODY[] ""
        line = line.decode()
        size = re.search(r"RFC822.SIZE (\d+)", line)
        if size:
            assert len(text) == int(size[1]), (name, line, text)
            found.append((text, re.search(r'INTERNALDATE "([^"]*)"', line)[1]))
    return found


def prepare(site, texts):
    home = site.home(USER)
    os.makedirs(f"{home}/mail")
    for name, text in texts.items():
        with open(f"{home}/mail/{name}", "w", newline="", encoding="latin-1") as f:
            f.write(text)
    if ROOT:
        for where, dirs, names in os.walk(f"{site.dir}/mail"):
            for name in [""] + dirs + names:
                os.chown(os.path.join(where, name), UID, GID)


def dates_alike(text):
    """No zone in numbers, and no year of which Dovecot says something else the second time."""
    return not re.search(r"[+-]\d\d\d\d", text) and not re.search(r"\d\d:\d\d (?:[^ \n]* )?[03-9]", text)


def looks(site, texts):
    """By Dovecot, which dies of a Content-Length that ends between CR and LF."""
    other, found = Stdio(site, LOCATION), {}
    for name in texts:
        try:
            found[name] = look(other, name)
        except imaplib.IMAP4.abort:
            other = Stdio(site, LOCATION)
    other.logout()
    assert len(texts) - len(found) < 20, sorted(set(texts) - set(found))
    return found


def compare(theirs, ours, texts):
    for name in theirs:
        text, a, b = texts[name], theirs[name], ours[name]
        assert [m[0] for m in a] == [m[0] for m in b], (text[:2000], "Dovecot:", a, "Roost:", b)
        if len(text) < 500 and dates_alike(text):
            assert a == b, (text, "Dovecot:", a, "Roost:", b)


def append(site, name):
    with open(f"{site.home(USER)}/mail/{name}", "a", newline="") as f:
        f.write(mail("grown"))


def grown(site):
    """What was last is as it was when another program has appended, and when we have."""
    texts = {f"g{i}": text for i, text in enumerate([mail("a", end=""), mail("a"), mail("a", end="\n\n"), mail("a", body="", end=""), crlf(mail("a", end="")),
                                                     mail("a", head="Content-Length: 5\n"), mail("a", head="Content-Length: 5\n", end="")])}
    prepare(site, texts)
    imap = site.imap(USER)
    for name in texts:
        before = look(imap, name)
        append(site, name)
        assert look(imap, name)[:-1] == before, (name, before)
        assert imap.append(name, None, None, b"Subject: ours\r\n\r\nbody\r\n")[0] == "OK"
        assert look(imap, name)[:-2] == before, (name, before)
    imap.logout()
    other = Stdio(site, LOCATION)
    imap = site.imap(USER)
    for name in texts:
        theirs, ours = look(other, name), look(imap, name)
        assert theirs == ours and len(ours) == 3, (name, theirs, ours)
    imap.logout()
    other.logout()


def main():
    if not os.path.exists(PROGRAM):
        skip("Dovecot is not installed")
    texts = files()
    extra = f"mail_location = {LOCATION}\n"
    with Site({USER: "secret"}, extra=extra) as site:
        prepare(site, texts)
        theirs = looks(site, texts)
    with Site({USER: "secret"}, extra=extra) as site:
        prepare(site, texts)
        imap = site.imap(USER)
        ours = {name: look(imap, name) for name in texts}
        imap.logout()
    compare(theirs, ours, texts)
    with Site({USER: "secret"}, extra=extra) as site:
        grown(site)
    print(f"{len(texts)} files, {sum(len(m) for m in ours.values())} messages")


if __name__ == "__main__":
    main()
    print("mbox_from: well")
