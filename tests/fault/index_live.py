#!/usr/bin/env python3
"""The index is a cache: deleted while the server is stopped, or damaged while it runs, it costs no UID, flag or keyword.

Damage under a running worker: records overwritten, the file cut, the directory removed. A worker may die of it
(LMDB maps the file); the next one must show the same mailbox, at the third try at the latest.
"""
import imaplib
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site, wait_for  # noqa: E402

USER = "anna@example.org"


def state(site):
    """UIDVALIDITY and, by UID, flags with keywords and the subject."""
    imap = site.imap(USER)
    ok, said = imap.select("INBOX")
    if ok != "OK":
        raise imaplib.IMAP4.error(said)
    validity = imap.response("UIDVALIDITY")[1][0]
    found = {}
    for item in imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)] ENVELOPE)")[1]:
        if isinstance(item, tuple):
            head = item[0].decode()
            uid = int(head.split("UID ")[1].split()[0])
            flags = {f for f in head.split("FLAGS (")[1].split(")")[0].split() if f != "\\Recent"}
            found[uid] = (frozenset(flags), item[1])
    imap.logout()
    return validity, found


def patient_state(site):
    def attempt():
        try:
            return state(site)
        except (OSError, imaplib.IMAP4.error):
            return None
    return wait_for(attempt, 20, 0.2)


def prepare(site):
    for n in range(60):
        site.deliver(USER, f"Subject: number {n}\r\n\r\nbody {n}\r\n".encode())
    imap = site.imap(USER)
    imap.select("INBOX")
    rng = random.Random(3)
    for n in range(1, 61):
        flags = " ".join(rng.sample(["\\Seen", "\\Flagged", "\\Answered", "$Junk", "work", "later"], rng.randrange(4)))
        if flags:
            imap.store(str(n), "FLAGS", f"({flags})")
    for n in range(34):  # more than the 26 that fit in file names
        imap.store("7", "+FLAGS", f"(keyword{n})")
    imap.store("3,9", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.logout()
    time.sleep(1.5)  # flags reach the file names within a second


def damage(path, kind, rng):
    data = f"{path}/data.mdb"
    if kind == "records":
        with open(data, "r+b") as f:
            size = os.path.getsize(data)
            for _ in range(200):
                f.seek(rng.randrange(8192, size - 16))
                f.write(os.urandom(16))
    elif kind == "pages":
        with open(data, "r+b") as f:
            size = os.path.getsize(data)
            for _ in range(8):
                f.seek(4096 * rng.randrange(2, size // 4096))
                f.write(b"\0" * 4096)
    elif kind == "cut":
        os.truncate(data, os.path.getsize(data) // 2 // 4096 * 4096)
    else:
        shutil.rmtree(path)


with Site({USER: "secret"}) as site:
    prepare(site)
    want = patient_state(site)
    assert len(want[1]) == 58 and any(len(f) > 30 for f, _ in want[1].values()), want
    index = f"{site.maildir(USER)}/roost.index"
    site.stop()
    shutil.rmtree(index)
    site.start()
    assert patient_state(site) == want, "deleted while stopped"
    rng = random.Random(11)
    for round in range(3):
        for kind in ("records", "gone", "pages", "cut"):
            idle = site.imap(USER)
            idle.select("INBOX")
            damage(index, kind, rng)
            found = patient_state(site)
            if found != want:
                gone = {u: v for u, v in want[1].items() if found[1].get(u) != v}
                raise AssertionError((kind, round, want[0], found[0], gone, set(found[1]) - set(want[1])))
            try:
                idle.logout()
            except (OSError, imaplib.IMAP4.error):
                pass
    # Deaths by a torn map (SIGBUS, SIGSEGV inside LMDB) are expected here; anything else a sanitizer said is not.
    said = site.output()
    for words in ("runtime error", "AddressSanitizer: heap", "AddressSanitizer: stack", "AddressSanitizer: global", "must("):
        assert words not in said, said[-6000:]
    for name in ("log", "stdout"):
        open(f"{site.dir}/{name}", "w").close()
print("index_live: well")
