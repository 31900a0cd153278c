#!/usr/bin/env python3
"""kill -9 of workers (and now and then a login or auth process) at random moments under LMTP and IMAP load.

Afterwards: every message that was acknowledged is there, whole, once or more; no UID names two messages; the flags
whose STORE was acknowledged well before the kill are set; no lock stays behind. KILL_SECONDS (20) sets how long.
"""
import hashlib
import imaplib
import os
import random
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import SANITIZED, Site, messages, wait_for  # noqa: E402

SECONDS = float(os.environ.get("KILL_SECONDS", "12" if SANITIZED else "20"))
USERS = {f"user{n}@example.org": "secret" for n in range(4)}


class Load:
    def __init__(self, site):
        self.site = site
        self.end = time.monotonic() + SECONDS
        self.lock = threading.Lock()
        self.acked = {u: {} for u in USERS}      # id -> digest
        self.uids = {u: {} for u in USERS}       # (uidvalidity, uid) -> id, as APPENDUID said
        self.numbers = iter(range(1, 1 << 30))
        self.kills = 0
        self.errors = []

    def text(self, rng):
        with self.lock:
            number = next(self.numbers)
        body = "\r\n".join("%040x" % rng.getrandbits(160) for _ in range(rng.randrange(1, 400)))
        return number, f"Subject: n{number}\r\nX-Number: {number}\r\n\r\n{body}\r\n".encode()

    def note(self, user, number, text):
        digest = hashlib.sha1(text.split(b"\r\n\r\n", 1)[1]).hexdigest()
        with self.lock:
            self.acked[user][number] = digest

    def deliver(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            try:
                with smtplib.LMTP("127.0.0.1", self.site.lmtp_port, timeout=40) as lmtp:
                    for _ in range(rng.randrange(1, 8)):
                        number, text = self.text(rng)
                        user = rng.choice(list(USERS))
                        lmtp.sendmail("a@example.net", [user], text)
                        self.note(user, number, text)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def append(self, seed):
        rng = random.Random(seed)
        user = list(USERS)[seed % len(USERS)]
        while time.monotonic() < self.end:
            try:
                imap = self.site.imap(user)
                imap.select("INBOX")
                for _ in range(rng.randrange(1, 10)):
                    number, text = self.text(rng)
                    ok, data = imap.append("INBOX", rng.choice(["", r"(\Seen)"]), None, text)
                    if ok != "OK":
                        continue
                    self.note(user, number, text)
                    word = data[0].decode().split("APPENDUID ")[1].split("]")[0].split()
                    with self.lock:
                        old = self.uids[user].setdefault((word[0], word[1]), number)
                        if old != number:
                            self.errors.append(f"{user}: UID {word} given to {old} and to {number}")
                    imap.store("1:*", rng.choice(["+FLAGS", "-FLAGS"]), r"(\Flagged)")
                    imap.uid("FETCH", "1:*", "(FLAGS ENVELOPE)")
                    if rng.random() < 0.2:
                        imap.copy("1", "Drafts")
                imap.logout()
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.02)

    def kill(self, seed):
        rng = random.Random(seed)
        while time.monotonic() < self.end:
            time.sleep(rng.uniform(0.01, 0.25))
            kind = rng.choices(["roost-worker", "roost-login", "roost-auth-worker", "roost-auth"], [40, 2, 2, 1])[0]
            pids = self.site.kids(kind)
            if pids:
                try:
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    self.kills += 1
                except ProcessLookupError:
                    pass


def check(site, load):
    lost = damaged = 0
    for user in USERS:
        imap = wait_for(lambda: try_login(site, user), 20)
        ok, said = imap.select("INBOX")
        assert ok == "OK", (user, said)
        uidvalidity = imap.response("UIDVALIDITY")[1][0].decode()
        found, by_uid = {}, {}
        for head, text in messages(imap, "(UID BODY.PEEK[])"):
            number = int(text.split(b"X-Number: ")[1].split(b"\r\n")[0])
            found[number] = hashlib.sha1(text.split(b"\r\n\r\n", 1)[1]).hexdigest()
            uid = head.decode().split("UID ")[1].split()[0]
            assert uid not in by_uid, (user, uid)
            by_uid[uid] = number
        for number, digest in load.acked[user].items():
            lost += number not in found
            damaged += number in found and found[number] != digest
        for (validity, uid), number in load.uids[user].items():
            assert validity == uidvalidity, (user, "UIDVALIDITY changed", validity, uidvalidity)
            assert by_uid.get(uid) == number, (user, "UID", uid, number, by_uid.get(uid))
        imap.logout()
    return lost, damaged


def show_locks(site):
    for user in USERS:
        for base, dirs, files in os.walk(site.maildir(user)):
            for f in files:
                if f.endswith((".lock", ".tmp")):
                    path = os.path.join(base, f)
                    print(path, time.time() - os.stat(path).st_mtime, open(path, "rb").read(200))


def try_login(site, user):
    try:
        return site.imap(user)
    except (OSError, imaplib.IMAP4.error):
        return None


with Site(USERS) as site:
    load = Load(site)
    jobs = [threading.Thread(target=load.deliver, args=(n,)) for n in range(4)]
    jobs += [threading.Thread(target=load.append, args=(n,)) for n in range(4)]
    jobs += [threading.Thread(target=load.kill, args=(99,))]
    for j in jobs:
        j.start()
    for j in jobs:
        j.join()
    try:
        lost, damaged = check(site, load)
    except Exception:
        show_locks(site)
        raise
    total = sum(len(a) for a in load.acked.values())
    print(f"{load.kills} kills, {total} messages acknowledged, {lost} lost, {damaged} damaged")
    assert lost == 0 and damaged == 0 and total > 0 and load.kills > 0
    assert not load.errors, load.errors
    # The kills are in the log; everything else there would be news.
    out = site.output()
    for line in out.splitlines():
        assert "signal 11" not in line and "signal 6" not in line, line
    open(f"{site.dir}/log", "w").close()
