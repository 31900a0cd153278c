#!/usr/bin/env python3
"""Folders of a Maildir whose writer dies or fails: CREATE, DELETE, RENAME (Maildir++ and LAYOUT=fs) and what is taken over of
Courier's files. Before each system call that changes names the process is killed, and once each fails as on a full disk, a
bad one, a quota and forbidden: afterwards the folder is there whole or not at all, other folders and their messages are
untouched, nothing of ours is listed, and the same again succeeds."""
import os
import random
import shutil
import subprocess
import sys
import tempfile

CTL = f"{os.environ.get('ROOST_BUILD', '.')}/tests/tools/storectl"
CALLS = "mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,fsync,fdatasync,ftruncate,write,pwrite64,openat,openat2,getdents64"
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EACCES")
# The leak sanitizer reads directories itself, and does not work under strace.
UNDER = os.environ | {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
ALL = "--all" in sys.argv  # every error at every call; else one of them, in turn
PART = 30 if os.environ.get("ROOST_SANITIZED") else 1  # of so many cuts one, another in each run
FILLED = {}  # kind -> a Mail that is copied, and what is in it
RNG = random.Random(int(os.environ.get("ROOST_SEED", "1")))


def skip(reason):
    print(reason)
    sys.exit(77)


class Mail:
    """A Maildir with a/b and a/b/c, two messages in each but a, which is a level (in Maildir++, nothing)."""

    def __init__(self, kind):
        self.top = tempfile.mkdtemp(prefix="roost-folder-cut-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.kind = kind
        self.where = {"maildir": "{}/m", "fs": "fs:{}/m", "dirname": "fs:{0}/m:CONTROL={0}/control:DIRNAME=mAil", "courier": "{}/m"}[kind].format(self.top)
        self.sep = "/" if kind in ("fs", "dirname") else "."

    def ctl(self, *words, under=(), stdin=b""):
        words = [word.replace("/", self.sep) for word in words]
        return subprocess.run([*under, CTL, self.where, *words], input=stdin, capture_output=True, env=UNDER if under else None)

    def fine(self, *words, stdin=b""):
        done = self.ctl(*words, stdin=stdin)
        assert done.returncode == 0, (self.kind, words, done.stderr)
        return done.stdout.decode()

    def fill(self):
        """What is in it (state)."""
        if self.kind not in FILLED:
            first = Mail(self.kind)
            for box in ("INBOX", "a/b", "a/b/c", "other"):
                first.fine("create", box)
                for n in (1, 2):
                    first.fine("add", box, "\\Seen", stdin=f"Subject: {box} {n}\n\nx\n".encode())
            FILLED[self.kind] = first, state(first)
        shutil.copytree(FILLED[self.kind][0].top, self.top, symlinks=True, dirs_exist_ok=True)
        return FILLED[self.kind][1]

    def list(self):
        return [name.replace(self.sep, "/") for name in sorted(self.fine("list").splitlines())]

    def messages(self, box):
        return self.fine("show", box).splitlines()


def state(mail):
    return {box: mail.messages(box) for box in mail.list() if mail.ctl("show", box).returncode == 0}


def calls_of(copy, command):
    """How many system calls of each kind it takes."""
    log = f"{copy.top}/calls"
    copy.ctl(*command, under=["strace", "-f", "-qq", "-o", log, "-e", f"trace={CALLS}"])
    counts = {}
    with open(log) as f:
        for line in f:
            name = line.split(None, 1)[1].split("(")[0]
            if not name.startswith(("+++", "---")):
                counts[name] = counts.get(name, 0) + 1
    return counts


class Trial:
    def __init__(self, kind, fill, command, check):
        self.kind, self.command, self.check = kind, command, check
        self.mail = Mail(kind)
        fill(self.mail)
        self.trials = 0

    def once(self, call, n, how):
        """how: a signal or an error."""
        copy = Mail(self.kind)
        shutil.copytree(self.mail.top, copy.top, symlinks=True, dirs_exist_ok=True)
        inject = f"inject={call}:{'signal=SIGKILL' if how == 'KILL' else 'error=' + how}:when={n}"
        done = copy.ctl(*self.command, under=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject])
        when = (self.kind, self.command, call, n, how, done.stderr)
        try:
            self.check(copy, done.returncode == 0, when)
        finally:
            shutil.rmtree(copy.top, ignore_errors=True)
        self.trials += 1

    def run(self):
        try:
            first = Mail(self.kind)
            shutil.copytree(self.mail.top, first.top, symlinks=True, dirs_exist_ok=True)
            counts = calls_of(first, self.command)
            shutil.rmtree(first.top)
            for call, number in sorted(counts.items()):
                for n in range(1, number + 1):
                    for how in ("KILL", *ERRORS) if ALL else ("KILL", ERRORS[n % 4]):
                        if RNG.randrange(PART) == 0:
                            self.once(call, n, how)
        finally:
            shutil.rmtree(self.mail.top, ignore_errors=True)
        return self.trials


def others_stay(before, after, moved, when):
    for box in before:
        if box not in moved:
            assert after.get(box) == before[box], (when, box, before[box], after.get(box))


def tidy(mail, when):
    """Nothing of ours is a folder; what was left is removed when somebody lists or works again."""
    names = mail.list()
    assert not any("roost" in name or "TRASH" in name for name in names), (when, names)


def create(kind):
    before = {}

    def fill(mail):
        before.update(mail.fill())

    def check(mail, done, when):
        after = state(mail)
        others_stay(before, after, (), when)
        assert not done or "x/y" in after, when
        if "x/y" not in after:
            mail.fine("create", "x/y")
        mail.fine("add", "x/y", stdin=b"Subject: x\n\nx\n")
        assert len(mail.messages("x/y")) == 2, when
        tidy(mail, when)

    return Trial(kind, fill, ("create", "x/y"), check)


def remove(kind, box):
    before = {}

    def fill(mail):
        before.update(mail.fill())

    def check(mail, done, when):
        after = state(mail)
        others_stay(before, after, (box,), when)
        killed = when[4] == "KILL"
        if box in after:
            assert not done and after[box] == before[box], (when, after[box])
            mail.fine("remove", box)
        else:
            # Gone is gone; that it could not be made durable may be told.
            assert done or killed or when[2].startswith(("fsync", "fdatasync", "unlink")), when
        assert box not in state(mail), when
        mail.fine("create", box)
        assert len(mail.messages(box)) == 1, (when, mail.messages(box))
        assert mail.messages(box)[0].split()[1] != before[box][0].split()[1], when
        tidy(mail, when)

    return Trial(kind, fill, ("remove", box), check)


def rename(kind, to):
    before = {}

    def fill(mail):
        before.update(mail.fill())

    def check(mail, done, when):
        after = state(mail)
        others_stay(before, after, ("a/b", "a/b/c"), when)
        for box in ("a/b", "a/b/c"):
            new = to + box[3:]
            there = [name for name in (box, new) if name in after]
            assert len(there) == 1, (when, box, sorted(after))
            assert not done or there == [new], (when, there)
            assert [line.split()[0] for line in after[there[0]][1:]] == [line.split()[0] for line in before[box][1:]], when
        if "a/b" in after:
            mail.fine("rename", "a/b", to)
            after = state(mail)
        # Maildir++ renames one directory after the other.
        if "a/b/c" in after:
            mail.fine("rename", "a/b/c", to + "/c")
            after = state(mail)
        for box in ("a/b", "a/b/c"):
            assert after[to + box[3:]] == before[box], (when, box, before[box], after[to + box[3:]])
        tidy(mail, when)

    return Trial(kind, fill, ("rename", "a/b", to), check)


def courier():
    def fill(mail):
        mail.fine("create", "INBOX")
        root = f"{mail.top}/m"
        names = [f"10000000{n:02d}.M{n}P1.host" for n in range(1, 4)]
        for name in names:
            with open(f"{root}/cur/{name}:2,S", "w") as f:
                f.write("Subject: x\n\nx\n")
        with open(f"{root}/courierimapuiddb", "w") as f:
            f.write("1 1234567 50\n" + "".join(f"{10 * n} {name}\n" for n, name in enumerate(names, 1)))
        os.mkdir(f"{root}/courierimapkeywords")
        with open(f"{root}/courierimapkeywords/:list", "w") as f:
            f.write(f"work\nlater\n\n{names[0]}:0\n{names[1]}:0 1\n")
        with open(f"{root}/courierimapsubscribed", "w") as f:
            f.write("INBOX\nINBOX.a\n")

    def check(mail, done, when):
        for path in ("courierimapuiddb", "courierimapkeywords/:list", "courierimapsubscribed"):
            assert os.path.getsize(f"{mail.top}/m/{path}"), when
        for name in os.listdir(f"{mail.top}/m"):
            if name in ("dovecot-keywords.lock", "subscriptions.lock"):
                os.remove(f"{mail.top}/m/{name}")  # which nobody heeds after 10 or 30 seconds
        lines = mail.fine("number", "INBOX").splitlines()
        assert lines[0].split()[1] == "1234567", (when, lines)
        assert [line.split()[0] for line in lines[1:]] == ["10", "20", "30"], (when, lines)
        # A directory that is simply forbidden, or none, says nothing.
        if when[2] != "openat2" or when[4] in ("KILL", "EIO"):
            assert ["work" in line for line in lines[1:]] == [True, True, False], (when, lines)
        assert sorted(mail.fine("subs").split()) == ["INBOX", "a"], when

    return [Trial("courier", fill, command, check) for command in (("number", "INBOX"), ("subs",))]


def main():
    if not os.access(CTL, os.X_OK):
        skip(f"{CTL} is not built")
    if not shutil.which("strace"):
        skip("strace is not installed")
    wanted = [word for word in sys.argv[1:] if word != "--all"]
    total = 0
    for kind in ("fs", "dirname", "maildir"):
        trials = [create(kind), remove(kind, "a/b"), remove(kind, "other"), rename(kind, "z")]
        if kind != "maildir":
            trials.append(rename(kind, "deep/er/z"))
        for trial in trials:
            if not wanted or kind in wanted:
                total += trial.run()
    for trial in courier():
        if not wanted or "courier" in wanted:
            total += trial.run()
    for first, _ in FILLED.values():
        shutil.rmtree(first.top)
    print(f"folder_cut: well, {total} cuts")


main()
