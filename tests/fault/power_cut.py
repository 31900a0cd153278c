#!/usr/bin/env python3
"""The power fails, at any moment: a disk that records every write and every flush (power.c) below a loop device and a real ext4. On it
the server takes deliveries, APPENDs, COPYs, MOVEs, flags, expunges, new and renamed mailboxes; two others write and sync all the time,
so that the journal of the file system commits between any two steps. A client marks on that disk what was acknowledged. Then, again and
again: the disk as it may be at some moment (what was not flushed is there, or not, or half), mounted, opened by Roost: whatever was
acknowledged before is there, whole and once, under its UID; nothing that nobody wrote is; UIDVALIDITY stays, UIDNEXT and HIGHESTMODSEQ
do not go back; with mail_fsync = always flags and expunges hold, too.

Needs root, /dev/fuse and loop devices. POWER_CUTS (300) in all; by hand some thousands. Usage: power_cut.py [FORMAT/SYNC], e.g. mbox/always
"""
import contextlib
import fcntl
import imaplib
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site, need, skip, wait_for  # noqa: E402

need("e2fsck", "losetup", "mkfs.ext4", "mount", "umount")
if not ROOT or not os.path.exists("/dev/fuse"):
    skip("not root, or no /dev/fuse")
CUTS = int(os.environ.get("POWER_CUTS", "40" if SANITIZED else "300"))
SECONDS = float(os.environ.get("POWER_SECONDS", "3"))
POWER = f"{os.environ['ROOST_BUILD']}/tests/fault/power"
STDIO = f"{os.environ['ROOST_BUILD']}/tests/tools/imapstdio"
USER = "anna@example.org"
BLKFLSBUF = 0x1261  # linux/fs.h
# A lock file whose text was not on the disk yet holds two minutes, as any of others'; we do not wait for so long.
OLD_LOCKS = ["-o", "mbox_dotlock_change_timeout=1"]
FORMATS = {  # location, arguments for imapstdio, where the index is
    "maildir": ("maildir:~/Maildir", lambda home: ["-m", f"{home}/Maildir", "-i", f"{home}/Maildir/roost.index"]),
    "mbox": ("mbox:~/mail", lambda home: ["-m", f"mbox:{home}/mail", "-i", f"{home}/mail/.imap/roost.index", *OLD_LOCKS]),
}


def sh(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


class Loop:
    """An image, mounted."""

    def __init__(self, image, where, *options):
        self.where = where
        self.device = self.patient("losetup", *options, "-f", "--show", image)
        with open(self.device, "rb") as f:  # what the kernel still knows of the image that was there before, if another held the device open
            fcntl.ioctl(f, BLKFLSBUF)
        try:
            self.mount()
        except subprocess.CalledProcessError:
            sh("losetup", "-d", self.device)
            raise

    def mount(self):
        """A superblock that is half written makes ext4 refuse; who boots such a disk has it mended out of the other ones first."""
        try:
            sh("mount", "-t", "ext4", self.device, self.where)
        except subprocess.CalledProcessError:
            mended = subprocess.run(["e2fsck", "-fy", self.device], capture_output=True, text=True)
            print(f"e2fsck: {mended.returncode}")
            self.patient("mount", "-t", "ext4", self.device, self.where)

    @staticmethod
    def patient(*words):
        """Another test may have been faster at the next free device."""
        for i in range(20):
            try:
                return sh(*words)
            except subprocess.CalledProcessError as e:
                why = e
                time.sleep(0.1)
        print(why.stderr)
        raise why

    def close(self):
        wait_for(lambda: subprocess.run(["umount", self.where], capture_output=True).returncode == 0, 20, 0.1)
        sh("losetup", "-d", self.device)


# --- what is done ---------------------------------------------------------------------------------------------

def text(number):
    rng = random.Random(number)
    return f"Subject: {number}\r\nX-Number: {number}\r\n\r\n" + "".join("%040x\r\n" % rng.getrandbits(160) for _ in range(rng.randrange(1, 300)))


class Work:
    def __init__(self, site, marks):
        self.site, self.end, self.lock, self.fd = site, time.monotonic() + SECONDS, threading.Lock(), os.open(marks, os.O_WRONLY)
        self.numbers, self.errors = iter(range(1, 1 << 30)), []

    def mark(self, *words):
        with self.lock:
            os.write(self.fd, (" ".join(str(w) for w in words) + "\n").encode())

    def number(self):
        with self.lock:
            return next(self.numbers)

    def deliver(self):
        with smtplib.LMTP("127.0.0.1", self.site.lmtp_port, timeout=60) as lmtp:
            while time.monotonic() < self.end:
                n = self.number()
                lmtp.sendmail("a@example.net", [USER], text(n).encode())
                self.mark("there", "INBOX", n)

    def noise(self, name):
        with open(f"{self.site.dir}/mail/{name}", "wb") as f:
            while time.monotonic() < self.end:
                f.write(os.urandom(3000))
                f.flush()
                os.fsync(f.fileno())
                if f.tell() > 1 << 20:
                    f.truncate(0)
                    f.seek(0)

    def status(self, imap, box):
        said = imap.status(box, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ)")[1][0].decode()
        self.mark("status", box, *(re.search(rf"{what} (\d+)", said)[1] for what in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")))

    def append(self, imap, box):
        n = self.number()
        ok, said = imap.append(box, None, None, text(n).encode())
        assert ok == "OK", said
        validity, uid = re.search(rb"APPENDUID (\d+) (\d+)", said[0]).groups()
        self.mark("uid", box, int(uid), n)
        return int(uid)

    def copy(self, imap, uid, to, move):
        if move:
            self.mark("doomed", "INBOX", uid)
        ok, said = imap.uid("MOVE" if move else "COPY", str(uid), to)
        assert ok == "OK", said
        known = imap.response("COPYUID")[1][-1] or said[0]
        self.mark("copied", "INBOX", uid, to, int(re.search(rb"(\d+)\]?$", known.strip().split(b"]")[0])[1]))
        if move:
            self.mark("gone", "INBOX", uid)

    def client(self):
        imap, rng, mine = self.site.imap(USER), random.Random(1), []
        imap.create("Other")
        self.mark("box", "Other")
        away = self.end - SECONDS * rng.random()
        imap.select("INBOX")
        for turn in range(1 << 30):
            if time.monotonic() > self.end:
                break
            what = rng.choice(["append", "append", "copy", "move", "flag", "expunge", "folder", "status"])
            uid = rng.choice(mine) if mine else None
            if time.monotonic() > away:
                away = self.end
                self.mark("clearing", f"i{turn}")
                assert imap.rename("INBOX", f"i{turn}")[0] == "OK"
                self.mark("cleared")
                mine.clear()
                continue
            if what == "append" or not uid:
                mine.append(self.append(imap, "INBOX"))
            elif what in ("copy", "move"):
                self.copy(imap, uid, "Other", what == "move")
                if what == "move":
                    mine.remove(uid)
            elif what == "flag":
                assert imap.uid("STORE", str(uid), "+FLAGS", r"(\Flagged work)")[0] == "OK"
                self.mark("flagged", "INBOX", uid)
            elif what == "expunge":
                self.mark("doomed", "INBOX", uid)
                imap.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
                assert imap.uid("EXPUNGE", str(uid))[0] == "OK"
                self.mark("gone", "INBOX", uid)
                mine.remove(uid)
            elif what == "folder":
                imap.create(f"a{turn}")
                self.append(imap, f"a{turn}")
                self.mark("renaming", f"a{turn}", f"b{turn}")
                assert imap.rename(f"a{turn}", f"b{turn}")[0] == "OK"
                self.mark("renamed", f"a{turn}", f"b{turn}")
            else:
                self.status(imap, rng.choice(["INBOX", "Other"]))

    def guarded(self, fn, *args):
        try:
            fn(*args)
        except Exception as e:
            self.errors.append(repr(e))

    def run(self):
        jobs = [threading.Thread(target=self.guarded, args=a) for a in
                ((self.deliver,), (self.deliver,), (self.client,), (self.noise, "noise1"), (self.noise, "noise2"))]
        for j in jobs:
            j.start()
        for j in jobs:
            j.join()
        os.close(self.fd)
        assert not self.errors, self.errors


def record(top, form, sync):
    """The log of a run; its marks are in it."""
    disk, log = f"{top}/disk", f"{top}/log"
    os.makedirs(disk, exist_ok=True)
    recorder = subprocess.Popen([POWER, "record", f"{top}/base", disk, log])
    wait_for(lambda: os.path.exists(f"{disk}/disk") or recorder.poll() is not None, 20)
    if recorder.poll() == 77:
        skip("no FUSE here")
    assert recorder.poll() is None, recorder.returncode
    extra = f"mail_location = {FORMATS[form][0]}\nmail_fsync = {sync}\nhostname = test.example\n"
    site = Site({USER: "secret"}, extra=extra, start=False)
    loop = None
    try:
        loop = Loop(f"{disk}/disk", f"{site.dir}/mail", "--direct-io=on")
        os.chown(f"{site.dir}/mail", UID, GID)
        with site:
            site.start()
            Work(site, f"{disk}/mark").run()
            site.stop()
            loop.close()
            loop = None
    finally:
        if loop:
            loop.close()
        sh("umount", "-l", disk)
        recorder.wait(20)
    return log


# --- what must be true ---------------------------------------------------------------------------------------------

class Told:
    """What the marks before the cut say."""

    def __init__(self, lines):
        self.there, self.uids, self.doomed, self.gone, self.flagged, self.status, self.names = {}, {}, set(), set(), set(), {}, {}
        self.away, self.moving, self.moved = None, False, set()
        for line in lines:
            word, *a = line.split()
            getattr(self, "on_" + word)(*a)

    def on_there(self, box, n):
        self.there[int(n)] = box

    def on_uid(self, box, uid, n):
        self.uids[box, int(uid)] = int(n)

    def on_copied(self, box, uid, to, new):
        self.uids[to, int(new)] = self.uids[box, int(uid)]

    def on_doomed(self, box, uid):
        self.doomed.add((box, int(uid)))

    def on_gone(self, box, uid):
        self.gone.add((box, int(uid)))

    def on_clearing(self, name):
        mine = {key for key in self.uids if key[0] == "INBOX"}
        self.moved = {self.uids[key] for key in mine - self.doomed}
        self.doomed |= mine
        self.away, self.moving = name, True

    def on_cleared(self):
        self.moving = False

    def on_flagged(self, box, uid):
        self.flagged.add((box, int(uid)))

    def on_status(self, box, *numbers):
        self.status[box] = [int(n) for n in numbers]

    def on_box(self, box):
        self.names[box] = {box}

    def on_renaming(self, old, new):
        self.names[old] = {old, new}

    def on_renamed(self, old, new):
        self.names[old] = {new}


class Found:
    def __init__(self, imap, told):
        self.messages, self.status, self.numbers = {}, {}, []
        boxes = {re.search(rb'"?([^" ]+)"?$', line)[1].decode() for line in imap.list()[1]}
        for box in sorted(boxes):
            ok, said = imap.select(f"{box} (CONDSTORE)")
            assert ok == "OK", (box, said)
            self.status[box] = [int(imap.response(what)[1][0]) for what in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")]
            for part in imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    n = int(re.search(rb"X-Number: (\d+)", part[1])[1])
                    assert part[1].decode().endswith(text(n)), (box, n, "wrong bytes")
                    self.messages[box, int(re.search(rb"UID (\d+)", part[0])[1])] = n, part[0]
                    self.numbers.append((box, n))


def check(found, told, always):
    name = {}
    for old, names in told.names.items():
        now = names & set(found.status)
        assert now, (old, names, "a mailbox is lost")
        name[old] = now.pop()
    for n in {*told.there, *told.moved}:
        here, there = found.numbers.count(("INBOX", n)), found.numbers.count((told.away, n))
        assert here + there == 1 or (told.moving and here == there == 1), (n, here, there, "a message is lost, or there twice")
    for (box, uid), n in told.uids.items():
        at = name.get(box, box)
        now = found.messages.get((at, uid))
        if at not in found.status:
            at = next(b for b in found.status if b[1:] == box[1:] and b[0] in "ab")
            now = found.messages.get((at, uid))
        assert (now and now[0] == n) or ((box, uid) in told.doomed and not now), (box, uid, n, now, "lost, or another")
        assert not (always and now and (box, uid) in told.gone), (box, uid, "expunged and back")
        if always and now and (box, uid) in told.flagged:
            assert b"\\Flagged" in now[1] and b"work" in now[1], (box, uid, now[1], "a flag is lost")
    for box, (validity, uidnext, modseq) in told.status.items():
        now = found.status[box]
        # An mbox that was empty, and whose first message was on its way: nobody can know that it never came, and that nobody saw its UID.
        virgin = uidnext == 1 and not any(b == box for b, _ in told.uids)
        assert (now[0] == validity or (virgin and now[0] > validity)) and now[1] >= uidnext and now[2] >= modseq, (box, told.status[box], now, "went back")


def other_boot(home):
    """The guard of the index says in which boot it was used."""
    for where, _, names in os.walk(home):
        if "guard" in names:
            with open(f"{where}/guard", "r+b") as f:
                f.seek(24)
                f.write(b"another-boot".ljust(40, b"\0"))


def look(top, form, told, always):
    home = f"{top}/mnt/example.org/anna"
    if not os.path.isdir(home):
        assert not told.there and not told.uids
        return
    other_boot(home)
    path = f"{top}/socket"
    server = subprocess.Popen([STDIO, *FORMATS[form][1](home), "-s", path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        s = socket.socket(socket.AF_UNIX)
        wait_for(lambda: s.connect_ex(path) == 0, 20, 0.005)
        s.settimeout(60)
        imap = Stdio(s)
        check(Found(imap, told), told, always)
        imap.logout()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        os.path.exists(path) and os.unlink(path)


class Stdio(imaplib.IMAP4):
    def __init__(self, sock):
        self.given = sock
        super().__init__("stdio")

    def open(self, host="", port=0, timeout=None):
        self.sock, self.file = self.given, self.given.makefile("rb")


def trial(top, form, sync, log, seed):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{top}/image")  # a device that is let go of late must not write into the next one
    said = subprocess.run([POWER, "replay", f"{top}/base", log, str(seed), f"{top}/image"], check=True, capture_output=True, text=True).stdout
    told = Told(said.splitlines()[1:])
    loop = Loop(f"{top}/image", f"{top}/mnt")
    try:
        look(top, form, told, sync == "always")
    except BaseException:
        print(f"{form}/{sync}, seed {seed}: {said.splitlines()[0]}; the image is kept: {top}/image")
        raise
    finally:
        loop.close()


def campaign(form, sync, cuts):
    top = subprocess.run(["mktemp", "-d", "/dev/shm/roost-power-XXXXXX"], check=True, capture_output=True, text=True).stdout.strip()
    os.mkdir(f"{top}/mnt")
    with open(f"{top}/base", "wb") as f:
        f.truncate(64 << 20)
    sh("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", f"{top}/base")
    log = record(top, form, sync)
    began = time.monotonic()
    for seed in range(cuts):
        trial(top, form, sync, log, seed)
    print(f"{form}/{sync}: {cuts} cuts of {os.path.getsize(log) >> 20} MiB, nothing lost, {1000 * (time.monotonic() - began) / cuts:.0f} ms a cut")
    shutil.rmtree(top)


WANTED = sys.argv[1] if len(sys.argv) > 1 else ""
chosen = [(form, sync) for form in FORMATS for sync in ("optimized", "always") if f"{form}/{sync}".startswith(WANTED)]
for form, sync in chosen:
    campaign(form, sync, CUTS // len(chosen))
