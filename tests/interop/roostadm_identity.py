#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm mailbox create -g and mailbox update: UIDVALIDITY, next UID and GUID of Maildirs and mboxes, with sessions that have the mailbox
open, as Debian's doveadm reads it afterwards, and with the index gone."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import CONF, GID, ROOT, UID, Site, need  # noqa: E402

need("doveadm")
ANNA = "anna@example.org"
GUID, OTHER = "0123456789abcdef0123456789abcdef", "00112233445566778899aabbccddeeff"
FIELDS = "messages uidnext uidvalidity guid"


class Place:
    """A format: where it lies, and how to ask who of it."""

    def __init__(self, site, location, index):
        self.site, self.location, self.index = site, location, f"{site.home(ANNA)}/{index}"

    def update(self, *words, status=0):
        r = self.site.adm("mailbox", "update", "-u", ANNA, *words)
        assert r.returncode == status, r
        return r

    def status(self, name):
        r = self.site.adm("mailbox", "status", "-u", ANNA, FIELDS, name)
        assert r.returncode == 0, r
        return dict(re.findall(r"(\w+)=(\w+)", r.stdout))

    def theirs(self, name):
        user = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        settings = [f"mail_location={self.location}", "ssl=no", "first_valid_uid=1", f"log_path={self.site.dir}/dovecot.log"]
        argv = ["doveadm", "-c", "/dev/null", *(w for s in settings for w in ("-o", s)), "mailbox", "status", FIELDS, name]
        r = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd="/",
                           env={"HOME": self.site.home(ANNA), "USER": ANNA, "PATH": os.environ["PATH"]}, **user)
        assert r.returncode == 0, r
        return dict(re.findall(r"(\w+)=(\w+)", r.stdout))


def state(imap, name):
    """{uid: (flags, body)}, without \\Recent."""
    imap.select(name)
    found = {}
    for part in imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[TEXT])")[1]:
        if isinstance(part, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].replace(b"\\Recent", b"").split()
            found[int(re.search(rb"UID (\d+)", part[0])[1])] = (sorted(flags), part[1])
    return found


def read_all(imap):
    """What comes until the server ends the connection."""
    imap.sock.settimeout(30)
    return b"".join(iter(lambda: imap.sock.recv(65536), b""))


def test_open(place):
    """Sessions: one BYE where the mailbox is another one now, nothing elsewhere. A flag that the folder does not have yet is kept."""
    site = place.site
    for n in range(3):
        site.deliver(ANNA, b"Subject: %d\r\n\r\nbody %d\r\n" % (n, n))
    work, idle, other = site.imap(), site.imap(), site.imap()
    before = state(work, "INBOX")
    assert sorted(before) == [1, 2, 3], before
    was = place.status("INBOX")
    idle.select("INBOX")
    idle.send(b"i IDLE\r\n")
    assert idle.readline().startswith(b"+ ")
    work.create("Other")
    other.select("Other")
    assert work.uid("STORE", "2", "+FLAGS", r"(\Flagged $Work)")[0] == "OK"
    before = state(work, "INBOX")
    to = int(was["uidvalidity"]) + 1000
    place.update("--uid-validity", str(to), "--min-next-uid", "500", "INBOX")
    assert place.status("INBOX") == {**was, "uidvalidity": str(to), "uidnext": "500"}, (was, place.status("INBOX"))
    work.send(b"w NOOP\r\n")
    for imap in (idle, work):
        told = read_all(imap)
        assert told.count(b"* BYE") == 1 and b"EXPUNGE" not in told and b"EXISTS" not in told, told
    assert other.noop()[0] == "OK"
    other.logout()
    new = site.imap()
    assert state(new, "INBOX") == before, (before, state(new, "INBOX"))
    site.deliver(ANNA, b"Subject: x\r\n\r\nnew\r\n")
    new.noop()
    assert sorted(state(new, "INBOX")) == [1, 2, 3, 500]
    new.logout()


def test_numbers(place):
    was = place.status("INBOX")
    place.update("--min-next-uid", "7", "INBOX")
    assert place.status("INBOX") == was
    place.update("--dry-run", "--uid-validity", "5", "--mailbox-guid", OTHER, "INBOX")
    assert place.status("INBOX") == was
    r = place.update("--uid-validity", "5", "INBOX")
    assert "goes back" in r.stderr, r
    assert place.status("INBOX") == {**was, "uidvalidity": "5"}
    place.update("--uid-validity", was["uidvalidity"], "--mailbox-guid", OTHER.upper(), "INBOX")
    assert place.status("INBOX") == {**was, "guid": OTHER}
    r = place.update("--min-next-uid", str(2**32 - 1), "INBOX", status=75)
    assert place.status("INBOX") == {**was, "guid": OTHER}
    for words in (("--uid-validity", "x", "INBOX"), ("--uid-validity", str(2**32), "INBOX"), ("--min-next-uid", "-1", "INBOX"),
                  ("--mailbox-guid", "12", "INBOX"), ("--mailbox-guid", GUID, "INBOX", "Other")):
        place.update(*words, status=64)
    place.update("--uid-validity", "5", "nope", status=68)


def test_empty(place):
    """A mailbox without messages: an mbox has nothing to carry its numbers then."""
    site = place.site
    assert site.adm("mailbox", "create", "-u", ANNA, "-g", GUID, "A", "B").returncode == 64
    assert site.adm("mailbox", "create", "-u", ANNA, "-g", "12", "A").returncode == 64
    r = site.adm("mailbox", "create", "-u", ANNA, "-s", "-g", GUID, "Empty")
    assert r.returncode == 0 and place.status("Empty")["guid"] == GUID, (r, place.status("Empty"))
    high = int(place.status("Empty")["uidvalidity"]) + 10**6
    place.update("--uid-validity", str(high), "--min-next-uid", "9", "Empty")
    want = {"messages": "0", "uidvalidity": str(high), "uidnext": "9", "guid": GUID}
    assert place.status("Empty") == want, place.status("Empty")
    imap = site.imap()
    for uid in (9, 10):
        ok, data = imap.append("Empty", "", None, b"Subject: a\r\n\r\na\r\n")
        assert f"APPENDUID {high} {uid}".encode() in data[0], data
    assert place.status("Empty") == {**want, "messages": "2", "uidnext": "11"}
    imap.create("Gone")
    place.update("--uid-validity", str(high + 5), "Gone")
    imap.delete("Gone")
    imap.create("Gone")
    assert int(place.status("Gone")["uidvalidity"]) > high + 5, place.status("Gone")
    imap.logout()


def test_others(place):
    """doveadm reads the same, and so do we when the index is gone."""
    was = {name: place.status(name) for name in ("INBOX", "Empty")}
    imap = place.site.imap()
    mail = {name: state(imap, name) for name in was}
    imap.logout()
    place.site.stop()
    shutil.rmtree(place.index)
    place.site.start()
    assert {name: place.status(name) for name in was} == was
    imap = place.site.imap()
    assert {name: state(imap, name) for name in was} == mail
    imap.logout()
    place.site.stop()
    for name, numbers in was.items():
        told = place.theirs(name)
        if place.location.startswith("mbox"):  # which keeps a GUID of its own in its index
            told["guid"] = numbers["guid"]
        assert told == numbers, (told, numbers)


for location, index in (("maildir:~/Maildir", "Maildir/roost.index"), ("mbox:~/mail:INBOX=~/inbox", "mail/.imap/roost.index")):
    conf = CONF.replace("maildir:~/Maildir", location)
    with Site({ANNA: "secret"}, conf=conf) as site:
        place = Place(site, location, index)
        for test in (test_open, test_numbers, test_empty, test_others):
            test(place)
print("roostadm_identity: well")
