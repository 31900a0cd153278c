#!/usr/bin/env python3
"""kill -9 of workers while drafts are replaced (RFC 8508).

Each user has one draft, replaced again and again. After each kill the draft is there: the version that was acknowledged
last or the one that was on its way, whole, or both of them, never none. KILL_SECONDS (10) sets how long.
"""
import contextlib
import imaplib
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import SANITIZED, Site, messages, wait_for  # noqa: E402

SECONDS = float(os.environ.get("KILL_SECONDS", "8" if SANITIZED else "10"))
USERS = {f"user{n}@example.org": "secret" for n in range(3)}


def text(version):
    body = "\r\n".join("%040x" % random.Random(version * 1000 + n).getrandbits(160) for n in range(version % 300))
    return f"Subject: draft\r\nX-Version: {version}\r\n\r\n{body}\r\n".encode()


def login(site, user):
    try:
        imap = site.imap(user)
        assert imap.select("Drafts")[0] == "OK"
        return imap
    except (OSError, imaplib.IMAP4.error):
        return None


class Writer:
    def __init__(self, site, user, end):
        self.site, self.user, self.end = site, user, end
        self.acked = self.sent = self.cuts = 0
        self.error = None

    def look(self, imap):
        """{version: uid} of what is there; every text is compared."""
        found = {}
        for head, got in messages(imap, "(UID BODY.PEEK[])"):
            version = int(got.split(b"X-Version: ")[1].split(b"\r\n")[0])
            assert got == text(version), (self.user, version, got[:200])
            found[version] = head.decode().split("UID ")[1].split()[0]
        return found

    def check(self, imap):
        """What a cut left; all but the newest goes."""
        found = self.look(imap)
        assert set(found) <= {self.acked, self.sent} and found, (self.user, found, self.acked, self.sent)
        newest = max(found)
        for version, uid in found.items():
            if version != newest:
                imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
                assert imap.expunge()[0] == "OK"
        self.acked = newest
        return found[newest]

    def replace(self, imap, uid):
        self.sent = self.acked + 1
        imap.literal = text(self.sent)
        ok, said = imap._simple_command("UID", "REPLACE", uid, "Drafts")
        assert ok == "OK", said
        self.acked = self.sent
        code = imap.response("APPENDUID")[1][0].decode()
        return code.split()[1]

    def talk(self):
        while time.monotonic() < self.end:
            imap = wait_for(lambda: login(self.site, self.user), 20)
            try:
                uid = self.check(imap)
                while time.monotonic() < self.end:
                    uid = self.replace(imap, uid)
            except (OSError, imaplib.IMAP4.abort):
                self.cuts += 1

    def run(self):
        try:
            self.talk()
        except Exception as e:
            self.error = repr(e)


def begin(site, user):
    imap = site.imap(user)
    imap.create("Drafts")
    assert imap.append("Drafts", None, None, text(0))[0] == "OK"
    imap.logout()


with Site(USERS) as site:
    for u in USERS:
        begin(site, u)
    end = time.monotonic() + SECONDS
    writers = [Writer(site, u, end) for u in USERS]
    threads = [threading.Thread(target=w.run) for w in writers]
    for t in threads:
        t.start()
    kills = 0
    while time.monotonic() < end:
        time.sleep(random.uniform(0.01, 0.3))
        for pid in site.kids("roost-worker")[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
    for t in threads:
        t.join()
    for w in writers:
        assert not w.error, w.error
        w.check(wait_for(lambda: login(site, w.user), 20))
    print(f"{kills} kills, {sum(w.cuts for w in writers)} cut sessions, {sum(w.acked for w in writers)} replaced")
    assert kills and all(w.acked for w in writers)
    for line in site.output().splitlines():
        assert "signal 11" not in line and "signal 6" not in line, line
    open(f"{site.dir}/log", "w").close()
