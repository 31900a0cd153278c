#!/usr/bin/env python3
"""More keywords than the letters of Maildir file names: ours live in roost-extra, survive a deleted index and Dovecot's turns at the
folder, are copied with the message, and go with it. (Dovecot keeps its own beyond 26 in its index alone.)"""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import Site  # noqa: E402

USER = "anna@example.org"
NAMES = [f"keyword{n}" for n in range(60)]


def keywords(imap, box):
    """UIDVALIDITY, {uid: keywords}"""
    assert imap.select(box)[0] == "OK"
    found = {}
    for line in imap.fetch("1:*", "(UID FLAGS)")[1]:
        text = line.decode()
        found[int(re.search(r"UID (\d+)", text)[1])] = {f for f in re.search(r"FLAGS \(([^)]*)\)", text)[1].split() if f[0] != "\\"}
    return imap.response("UIDVALIDITY")[1][0], found


def without_index(site):
    site.stop()
    shutil.rmtree(f"{site.maildir(USER)}/roost.index")
    site.start()


with Site({USER: "secret"}) as site:
    imap = site.imap(USER)
    for n in range(6):
        assert imap.append("INBOX", f"({NAMES[n]})", None, b"Subject: x\r\n\r\nbody\r\n")[0] == "OK"
    imap.select("INBOX")
    for n, name in enumerate(NAMES):
        assert imap.uid("STORE", f"{n % 5 + 1}", "+FLAGS", f"({name})")[0] == "OK"
    assert imap.uid("STORE", "1", "+FLAGS", f"({' '.join(NAMES)})")[0] == "OK"
    imap.create("other")
    assert imap.uid("COPY", "1,3", "other")[0] == "OK"
    want = {box: keywords(imap, box) for box in ("INBOX", "other")}
    assert want["INBOX"][1][1] == set(NAMES) and want["other"][1][1] == set(NAMES)
    imap.logout()
    without_index(site)
    imap = site.imap(USER)
    assert {box: keywords(imap, box) for box in want} == want
    imap.logout()
    if os.path.exists(PROGRAM):
        for turn in range(3):
            site.stop()
            other = Stdio(site, "maildir:~/Maildir")
            validity, seen = keywords(other, "INBOX")
            # The first 26 have letters; what Dovecot does to files and letters must not touch the others.
            assert validity == want["INBOX"][0] and seen[1] == set(NAMES[:26]), (turn, seen[1])
            other.uid("STORE", "1:6", "+FLAGS" if turn % 2 == 0 else "-FLAGS", r"(\Flagged \Seen)")
            other.uid("STORE", "2", "-FLAGS" if turn % 2 == 0 else "+FLAGS", f"({NAMES[1]})")
            other.uid("STORE", "6", "+FLAGS", "(OfDovecot)")
            other.logout()
            want["INBOX"][1][2] ^= {NAMES[1]}
            site.start()
            if turn == 1:
                without_index(site)
            imap = site.imap(USER)
            assert {box: keywords(imap, box) for box in want} == want, turn
            imap.logout()
    imap = site.imap(USER)
    imap.select("INBOX")
    assert imap.uid("STORE", "1", "-FLAGS", f"({' '.join(NAMES[20:])})")[0] == "OK"
    assert imap.uid("STORE", "3", "+FLAGS", r"(\Deleted)")[0] == "OK"
    imap.expunge()
    want = {box: keywords(imap, box) for box in want}
    assert want["INBOX"][1][1] == set(NAMES[:20]) and 3 not in want["INBOX"][1]
    imap.logout()
    without_index(site)
    imap = site.imap(USER)
    assert {box: keywords(imap, box) for box in want} == want
    imap.logout()


def report(site, *words):
    done = site.adm("-f", "tab", *words, "-u", USER, "INBOX")
    head, row = (line.split("\t") for line in done.stdout.splitlines())
    return dict(zip(head, row))


def reports():
    """What is lost on the way is said before: on the way here what Dovecot's index alone has, on the way back what roost-extra has.
    An mbox carries all."""
    if not os.path.exists(PROGRAM):
        return
    for location, there, back in (("maildir:~/Maildir", "beyond", "beyond"), ("mbox:~/mail", "notice nothing", "notice nothing")):
        with Site({USER: "secret"}, extra=f"mail_location = {location}\n") as site:
            site.stop()
            other = Stdio(site, location)
            assert other.append("INBOX", f"({' '.join(NAMES[:30])})", None, b"Subject: x\r\n\r\nbody\r\n")[0] == "OK"
            other.logout()
            found = report(site, "adopt", "--check")
            assert there in found["clientswill"], found
            site.start()
            imap = site.imap(USER)
            imap.select("INBOX")
            assert imap.store("1", "+FLAGS", f"({' '.join(NAMES[:30])})")[0] == "OK"
            imap.logout()
            found = report(site, "release")
            assert found["keywords"] == "30" and back in found["clientswill"], found
            assert report(site, "adopt", "--check")["clientswill"] == "notice nothing"


reports()
