#!/usr/bin/env python3
"""An index that is not the folder's: two users' indexes swapped, an older copy of one's own, one of nothing; all that clients know stays
as the folders say: UIDVALIDITY, UIDs, flags, keywords, dates, sizes, subscriptions, bytes."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testsite import GID, ROOT, UID, Site  # noqa: E402

USERS = {"anna@example.org": "secret", "bert@example.org": "secret"}


def state(imap):
    found = {what: sorted(re.sub(rb"\([^)]*\)", b"", line) for line in getattr(imap, what)()[1]) for what in ("list", "lsub")}
    for box in ("INBOX", "Lists"):
        assert imap.select(box)[0] == "OK"
        found[box] = [imap.response("UIDVALIDITY")[1]]
        for part in imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE EMAILID ENVELOPE BODY.PEEK[])")[1]:
            found[box].append([re.sub(rb"\\Recent ?| ?\\Recent", b"", p) for p in part] if isinstance(part, tuple) else part)
    return found


def fill(site, user, imap):
    imap.create("Lists")
    imap.subscribe("Lists") if user.startswith("anna") else None
    for n in range(5 if user.startswith("anna") else 8):
        for box in ("INBOX", "Lists"):
            text = f"From: {user}\r\nSubject: {n} of {user}\r\n\r\n" + "body\r\n" * (n + len(user))
            assert imap.append(box, f"(\\Flagged {user[:4]}{n})" if n % 2 else "(\\Seen)", None, text.encode())[0] == "OK"


def states(site):
    found = {}
    for user in USERS:
        imap = site.imap(user)
        found[user] = state(imap)
        imap.logout()
    return found


def index(site, user):
    return f"{site.maildir(user)}/roost.index"


with Site(USERS) as site:
    for user in USERS:
        imap = site.imap(user)
        fill(site, user, imap)
        imap.logout()
    want = states(site)
    site.stop()
    a, b = (index(site, user) for user in USERS)
    shutil.copytree(a, f"{site.dir}/old")  # as a backup would
    os.rename(a, f"{a}.x")
    os.rename(b, a)
    os.rename(f"{a}.x", b)
    site.start()
    assert states(site) == want, "swapped"
    assert states(site) == want, "swapped, once more"
    imap = site.imap()
    imap.select("INBOX")
    imap.uid("STORE", "2", "+FLAGS", "(\\Answered new)")
    imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    assert imap.append("INBOX", None, None, b"Subject: later\r\n\r\nbody\r\n")[0] == "OK"
    imap.create("Later")
    imap.logout()
    want = states(site)
    site.stop()
    shutil.rmtree(a)
    shutil.copytree(f"{site.dir}/old", a)
    if ROOT:
        for where, _, names in os.walk(a):
            for name in [".", *names]:
                os.chown(f"{where}/{name}", UID, GID)
    site.start()
    assert states(site) == want, "an older copy"
    site.stop()
    for user in USERS:
        shutil.rmtree(index(site, user))
    site.start()
    assert states(site) == want, "none"
