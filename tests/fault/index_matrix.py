#!/usr/bin/env python3
"""The index is a cache: whatever happens to it, what clients know stays as the folders say.

Every kind of damage, in both formats, while the server is stopped, while clients are connected (who ask all the time, or sit in
IDLE), and while mail is delivered: UIDVALIDITY, UIDs, flags, keywords (more than 26), dates, sizes, object ids, texts, names and
subscriptions, POP3 UIDLs and their order are the same afterwards, HIGHESTMODSEQ, UIDNEXT and SAVEDATE (which the index alone knows; without
it, it is the time of the file's last change, as in Dovecot) do not go back, no acknowledged delivery is missing or there twice. Those
connected notice nothing; only a file that is overwritten or cut beneath a process that has it mapped may end its connections, which hear a BYE.

Usage: index_matrix.py [FORMAT[/KIND[/WHILE]]], e.g. mbox/bits
"""
import email.utils
import imaplib
import os
import random
import re
import shutil
import smtplib
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site, wait_for  # noqa: E402

ANNA, BERT = "anna@example.org", "bert@example.org"
BOXES = ["INBOX", "Lists"]
FORMATS = {  # location, the index's directory below the home, what the folder itself keeps of an account
    "maildir": ("maildir:~/Maildir", "Maildir/roost.index"),
    "mbox": ("mbox:~/mail:INBOX=~/inbox", "mail/.imap/roost.index"),
}
PAGE = 4096
GOODBYE = "[UNAVAILABLE]"  # imaplib does not say that it came with BYE
SEAL = f"{os.environ['ROOST_BUILD']}/tests/fault/index_version"


# --- what may happen to an index --------------------------------------------------------------------

class Damage:
    def __init__(self, site, index, other, old, rng):
        self.site, self.index, self.other, self.old, self.rng = site, index, other, old, rng
        self.data = f"{index}/data.mdb"

    def write(self, at, text):
        with open(self.data, "r+b") as f:
            f.seek(at)
            f.write(text)

    def size(self):
        return os.path.getsize(self.data)

    def replace(self, source):
        new, aside = f"{self.index}.new", f"{self.index}.aside"
        shutil.copytree(source, new)
        if ROOT:
            for where, _, names in os.walk(new):
                for name in [".", *names]:
                    os.chown(f"{where}/{name}", UID, GID)
        os.rename(self.index, aside)  # a server at work makes another one before a removal is done
        os.rename(new, self.index)
        shutil.rmtree(aside)

    def seal(self, version):
        subprocess.run([SEAL, self.index, str(version)], check=True, user=UID if ROOT else None, group=GID if ROOT else None,
                       extra_groups=[] if ROOT else None)

    def gone(self):
        aside = f"{self.index}.aside"
        os.rename(self.index, aside)
        shutil.rmtree(aside)

    def guard_gone(self):
        os.unlink(f"{self.index}/guard")

    def data_gone(self):
        os.unlink(self.data)

    def version_1(self):
        self.seal(1)

    def version_2(self):
        self.seal(2)

    def version_3(self):
        self.seal(3)

    def version_4(self):
        self.seal(4)

    def version_unknown(self):
        self.seal(200)

    def swapped(self):
        """Two users' indexes, exchanged by rename: who has one open goes on with what he has open."""
        os.rename(self.index, f"{self.index}.x")
        os.rename(self.other, self.index)
        os.rename(f"{self.index}.x", self.other)

    def older(self):
        self.replace(self.old)

    def of_another(self):
        self.replace(self.other)

    def empty(self):
        os.truncate(self.data, 0)

    def cut(self):
        os.truncate(self.data, self.size() // 2 // PAGE * PAGE)

    def ragged(self):
        os.truncate(self.data, self.size() - PAGE // 3)

    def bits(self):
        with open(self.data, "rb") as f:
            text = bytearray(f.read())
        for _ in range(200):
            text[self.rng.randrange(2 * PAGE, len(text))] ^= 1 << self.rng.randrange(8)
        self.write(2 * PAGE, text[2 * PAGE:])

    def pages(self):
        for _ in range(8):
            self.write(PAGE * self.rng.randrange(2, self.size() // PAGE), bytes(PAGE))

    def heads(self):
        self.write(0, os.urandom(2 * PAGE))

    def foreign(self):
        self.write(0, os.urandom(self.size()))

    def rebuilt(self):
        said = self.site.adm("reindex", "-u", ANNA)
        assert said.returncode == 0, said


# Whether those connected notice nothing: else a process may die of a file that changes beneath it.
KINDS = {"gone": True, "guard_gone": True, "data_gone": True, "swapped": True, "of_another": True, "older": True, "version_1": True,
         "version_2": True, "version_3": True, "version_4": True, "version_unknown": True, "rebuilt": True, "bits": False, "pages": False, "heads": False,
         "empty": False, "cut": False, "ragged": False, "foreign": False}
WHILES = ["stopped", "connected", "delivering"]


# --- what clients know ------------------------------------------------------------------------------

ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE EMAILID THREADID ENVELOPE BODY.PEEK[])"


def plain(part):
    """Without what may differ: sequence numbers, \\Recent, the order of flags."""
    if not isinstance(part, bytes):
        return tuple(plain(p) for p in part)
    part = re.sub(rb"^\d+ ", b"", part)
    return re.sub(rb"FLAGS \(([^)]*)\)", lambda m: b" ".join(sorted(set(m[1].split()) - {rb"\Recent"})), part)


def state(imap):
    """Facts that never change, and numbers that never go back."""
    found, numbers = {what: sorted(re.sub(rb"^\([^)]*\)", b"", line) for line in getattr(imap, what)()[1]) for what in ("list", "lsub")}, {}
    for box in BOXES:
        ok, said = imap.select(f"{box} (CONDSTORE)")
        if ok != "OK":
            raise imaplib.IMAP4.error(said)
        found[box, "UIDVALIDITY"] = imap.response("UIDVALIDITY")[1]
        for what in ("UIDNEXT", "HIGHESTMODSEQ"):
            numbers[box, what] = int(imap.response(what)[1][0])
        ok, parts = imap.uid("FETCH", "1:*", ITEMS)
        if ok != "OK":
            raise imaplib.IMAP4.error(parts)
        for head, text in (p for p in parts if isinstance(p, tuple)):
            if b"X-Delivered:" not in text:
                found[box, int(re.search(rb"UID (\d+)", head)[1])] = plain((head, text))
            else:
                number = int(re.search(rb"X-Delivered: (\d+)", text)[1])
                found.setdefault("delivered", []).append(number)
    return found, numbers


def beside(site, user):
    """What POP3 clients know, without deliveries; and when messages were saved."""
    said = site.adm("-f", "tab", "fetch", "-u", user, "mailbox uid pop3.uidl pop3.order",
                   "mailbox", "*", "NOT", "HEADER", "X-Delivered", "")
    assert said.returncode == 0 and said.stdout.count("\n") > 20, said
    imap = site.imap(user)
    saved = {}
    for box in BOXES:
        imap.select(box)
        for line in imap.uid("FETCH", "1:*", "(SAVEDATE)")[1]:
            uid, date = re.search(rb'UID (\d+) SAVEDATE "([^"]+)"', line).groups()
            saved[box, int(uid)] = email.utils.mktime_tz(email.utils.parsedate_tz(date.decode()))
    imap.logout()
    return sorted(said.stdout.splitlines()), saved


def patient_state(site, user):
    """A worker may have died of what it had mapped; the third finds a new index."""
    def attempt():
        try:
            imap = site.imap(user)
            found = state(imap)
            imap.logout()
            return found
        except (OSError, imaplib.IMAP4.error):
            return None
    return wait_for(attempt, 30, 0.1)


def fill(site, user):
    rng = random.Random(user)
    imap = site.imap(user)
    for box in BOXES[1:]:
        imap.create(box)
    if user == ANNA:
        imap.subscribe("Lists")
        imap.subscribe("Nowhere")
    for n in range(14 if user == ANNA else 23):
        for box in BOXES:
            text = f"From: {user}\r\nSubject: {n} of {user}\r\nMessage-ID: <{n // 2}@{user}>\r\n\r\n" + "body\r\n" * rng.randrange(900)
            flags = " ".join(rng.sample(["\\Seen", "\\Flagged", "\\Answered", "$Junk", user[:4], "later"], rng.randrange(4)))
            date = imaplib.Time2Internaldate(1_500_000_000 + 86_400 * n)
            assert imap.append(box, f"({flags})", date, text.encode())[0] == "OK"
    imap.select("INBOX")
    for n in range(34):  # more than the 26 that fit in file names
        imap.store("7", "+FLAGS", f"(keyword{n})")
    imap.store("3,9", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.copy("2:4", "Lists")
    imap.logout()


# --- who is there meanwhile --------------------------------------------------------------------------

class Client(threading.Thread):
    """Asks for all there is, all the time: every message of old is always there, with the flags and text it had."""

    def __init__(self, site, want):
        super().__init__()
        self.site, self.want = site, want
        self.ending, self.asked, self.closed, self.byes, self.wrong = False, 0, 0, 0, None

    def session(self):
        imap = self.site.imap(ANNA)
        while not self.ending:
            found, _ = state(imap)
            found.pop("delivered", None)
            if found != self.want:
                self.wrong = difference(self.want, found)
                return
            self.asked += 1
        imap.logout()

    def run(self):
        while not self.ending and not self.wrong:
            try:
                self.session()
            except (OSError, imaplib.IMAP4.error) as e:
                if GOODBYE in str(e):
                    self.byes += 1
                else:
                    self.closed += 1
                    self.why = e
                time.sleep(0.02)


class Sender(threading.Thread):
    def __init__(self, site, numbers):
        super().__init__()
        self.site, self.numbers, self.ending, self.sent = site, numbers, False, []

    def run(self):
        while not self.ending:
            try:
                with smtplib.LMTP("127.0.0.1", self.site.lmtp_port, timeout=40) as lmtp:
                    while not self.ending:
                        n = next(self.numbers)
                        lmtp.sendmail("a@example.net", [ANNA], f"X-Delivered: {n}\r\nSubject: x\r\n\r\nbody\r\n".encode())
                        self.sent.append(n)
                        time.sleep(0.005)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)


def difference(want, found):
    return {k: (want.get(k), found.get(k)) for k in set(want) | set(found) if want.get(k) != found.get(k)}


class Trial:
    def __init__(self, site, form, numbers, sent):
        self.site, self.form, self.numbers, self.sent = site, form, numbers, sent
        self.index, self.other = (f"{site.home(user)}/{FORMATS[form][1]}" for user in (ANNA, BERT))

    @staticmethod
    def harmed(harm):
        """False while the worker puts another file in the index's place."""
        try:
            harm()
        except FileNotFoundError:
            return False
        return True

    def meanwhile(self, kind, harm, want):
        client = Client(self.site, want[ANNA][0])
        sender = Sender(self.site, self.numbers) if kind == "delivering" else None
        idle = self.site.imap(ANNA)
        idle.select("INBOX")
        for t in filter(None, (client, sender)):
            t.start()
        try:
            wait_for(lambda: client.asked > 0 and (not sender or sender.sent), 30)
            wait_for(lambda: self.harmed(harm), 30)
            before, sent = client.asked, sender and len(sender.sent)
            wait_for(lambda: client.wrong or (client.asked > before + 2 and (not sender or len(sender.sent) > sent)), 40)
        finally:
            for t in filter(None, (client, sender)):
                t.ending = True
                t.join()
        self.sent += sender.sent if sender else []
        try:
            idle.noop()
            idle.logout()
        except (OSError, imaplib.IMAP4.error) as e:
            client.byes, client.closed = client.byes + (GOODBYE in str(e)), client.closed + (GOODBYE not in str(e))
        assert not client.wrong, client.wrong
        return client

    def whole(self):
        """One that lost a file is in use until its process ends."""
        if not all(os.path.exists(f"{index}/{name}") for index in (self.index, self.other) for name in ("data.mdb", "guard")):
            self.site.stop()
            self.site.start()

    def run(self, kind, when, old, rng):
        self.whole()
        want = {user: patient_state(self.site, user) for user in (ANNA, BERT)}
        for user in want:
            want[user][0].pop("delivered", None)
        pop3, saved = beside(self.site, ANNA)
        assert self.form == "mbox" or "old1" in "".join(pop3), pop3
        harm = getattr(Damage(self.site, self.index, self.other, old, rng), kind)
        closed = byes = 0
        if when == "stopped":
            self.site.stop()
            if kind != "rebuilt":
                harm()
            self.site.start()
        else:
            client = self.meanwhile(when, harm, want)
            closed, byes = client.closed, client.byes
            assert not closed or not KINDS[kind], (closed, client.why)
            assert byes <= 2, byes
        for user in want:
            found, numbers = patient_state(self.site, user)
            delivered = found.pop("delivered", [])
            assert found == want[user][0], difference(want[user][0], found)
            assert all(numbers[k] >= n for k, n in want[user][1].items()), (want[user][1], numbers)
            assert user != ANNA or (set(self.sent) <= set(delivered) and len(delivered) == len(set(delivered))), delivered
        uidls, later = beside(self.site, ANNA)
        assert uidls == pop3, (pop3, uidls)
        assert all(date <= later[k] <= time.time() + 1 for k, date in saved.items()), (saved, later)
        return closed, byes


def leave_uidls(site, user):
    """As a migration from another POP3 server does it."""
    path = f"{site.maildir(user)}/dovecot-uidlist"
    if not os.path.exists(path):
        return
    with open(path) as f:
        head, *lines = f.read().splitlines()
    with open(path, "w") as f:
        f.write(head + "\n" + "".join(re.sub(r"^(\d+)", r"\1 Pold\1", line) + "\n" if n % 2 else line + "\n" for n, line in enumerate(lines)))


def matrix(form, only):
    rng = random.Random(11)
    numbers, sent = iter(range(1, 1 << 30)), []
    with Site({ANNA: "secret", BERT: "secret"}, extra=f"mail_location = {FORMATS[form][0]}\n") as site:
        fill(site, ANNA)
        fill(site, BERT)
        trial = Trial(site, form, numbers, sent)
        patient_state(site, ANNA)
        site.stop()
        leave_uidls(site, ANNA)
        old = f"{site.dir}/old"
        shutil.copytree(trial.index, old)  # as a backup would
        site.start()
        imap = site.imap(ANNA)
        imap.select("INBOX")
        imap.store("5", "-FLAGS", "(later)")
        imap.store("1", "+FLAGS", r"(\Deleted \Answered new)")
        imap.expunge()
        imap.append("INBOX", None, None, b"Subject: later\r\n\r\nbody\r\n")
        imap.logout()
        n = int(os.environ.get("ROOST_SEED", "0"))
        for kind in KINDS:
            for when in WHILES:
                if not f"{form}/{kind}/{when}".startswith(only) or (SANITIZED and not only and (n := n + 1) % 4):
                    continue
                began = time.monotonic()
                try:
                    closed, byes = trial.run(kind, when, old, rng)
                except Exception as e:
                    raise AssertionError(f"{form}/{kind}/{when}: {e!r:.1500}") from e
                print(f"{form}/{kind}/{when}: {closed} closed, {byes} BYE, {len(sent)} delivered, {time.monotonic() - began:.1f} s", flush=True)
        site.stop_after_deaths()


for form in FORMATS:
    if form.startswith(sys.argv[1].split("/")[0] if len(sys.argv) > 1 else form):
        matrix(form, sys.argv[1] if len(sys.argv) > 1 else "")
