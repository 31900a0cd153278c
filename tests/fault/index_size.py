#!/usr/bin/env python3
# Also runs against the sanitize build.
"""A large index whose messages went gives its space back when the last session of the user has ended, and loses nothing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
COUNT, KEPT = 3000, 20


def fill(site):
    """Messages whose envelopes are large, so that the cache of the index is."""
    home, maildir = site.home(USER), site.maildir(USER)
    for d in ("new", "tmp", "cur"):
        os.makedirs(f"{maildir}/{d}")
    to = ",\r\n ".join(f"Somebody Number {n} <somebody.{n}@example.net>" for n in range(12))
    for n in range(1, COUNT + 1):
        with open(f"{maildir}/cur/{1700000000 + n}.M{n}.host:2,S", "w") as f:
            f.write(f"Subject: number {n}\r\nTo: {to}\r\n\r\nbody\r\n")
    if ROOT:
        for path, _, files in os.walk(os.path.dirname(home)):
            os.chown(path, UID, GID)
            for name in files:
                os.chown(f"{path}/{name}", UID, GID)


def envelopes(imap):
    return {line.split()[0]: line for line in imap.fetch("1:*", "(UID FLAGS ENVELOPE RFC822.SIZE)")[1]}


def main():
    with Site(extra="worker_linger = 1s") as site:
        fill(site)
        data = f"{site.maildir(USER)}/roost.index/data.mdb"
        imap = site.imap(USER)
        assert imap.select("INBOX")[1] == [str(COUNT).encode()]
        before = envelopes(imap)
        imap.store(f"{KEPT + 1}:*", "+FLAGS.SILENT", r"(\Deleted)")
        imap.expunge()
        large = os.path.getsize(data)
        imap.logout()
        wait_for(lambda: os.path.getsize(data) < large / 4, 60)
        imap = site.imap(USER)
        assert imap.select("INBOX")[1] == [str(KEPT).encode()]
        after = envelopes(imap)
        assert after == {n: before[n] for n in after} and len(after) == KEPT
        imap.logout()
        assert "damaged" not in site.log(), site.log()
        print(f"data.mdb: {large} bytes, then {os.path.getsize(data)}")


main()
