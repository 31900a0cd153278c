#!/usr/bin/env python3
"""kill -9 while roostadm moves messages from one user to another: of roostadm, of the worker that gives, of the one that takes; with the server
running and stopped. After each kill every message is in one of the mailboxes, whole, or in both; the same command again moves the rest.
KILL_ROUNDS (8) sets how many."""
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site  # noqa: E402

ROUNDS = int(os.environ.get("KILL_ROUNDS", "4" if SANITIZED else "8"))
USERS = ["anna@example.org", "bob@example.org"]
MESSAGES = 700 if SANITIZED else 1700  # more than are moved at once


def text(i):
    return f"Message-ID: <{i}@x>\nSubject: number {i}\n\n" + f"line {i}\n" * (i % 50)


def fill(site):
    for user in USERS:
        for sub in ("cur", "new", "tmp"):
            os.makedirs(f"{site.maildir(user)}/{sub}")
    for i in range(MESSAGES):
        with open(f"{site.maildir(USERS[0])}/cur/{1000000001 + i}.M{i}P1.x:2,S", "w") as f:
            f.write(text(i))
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", f"{site.dir}/mail"], check=True)


def on_disk(site, user):
    """{number: copies}; every text is compared. A name may change meanwhile."""
    found = {}
    for sub in ("new", "cur"):
        for name in os.listdir(f"{site.maildir(user)}/{sub}"):
            try:
                with open(f"{site.maildir(user)}/{sub}/{name}") as f:
                    got = f.read()
            except FileNotFoundError:
                return on_disk(site, user)
            i = int(re.match(r"Message-ID: <(\d+)@x>", got)[1])
            assert got == text(i), (user, name)
            found[i] = found.get(i, 0) + 1
    return found


def begin(site, source, dest):
    return subprocess.Popen([f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", "move", "-u", dest, "INBOX", "user", source,
                             "mailbox", "INBOX", "all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(site, *words):
    """75: try again; so it is when the one that was killed gets the command before the master knows of its death."""
    for _ in range(3):
        r = subprocess.run([f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", *words], capture_output=True, timeout=120)
        if r.returncode != 75:
            break
        time.sleep(0.5)
    assert r.returncode == 0, (words, r)
    return r.stdout.decode()


def kill_one(site, proc, source, dest):
    """Somewhere on the way, for which the destination's folder is looked at; what was killed."""
    count = random.choice([1, MESSAGES // 5, MESSAGES // 2])
    folder = f"{site.maildir(dest)}/{random.choice(['tmp', 'cur'])}"
    end = time.monotonic() + 20
    while proc.poll() is None and time.monotonic() < end and len(os.listdir(folder)) < count:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.05))
    what = random.choice([None, source, dest]) if site.proc else None
    pid = proc.pid
    if what:
        lines = [line for line in site.adm("status").stdout.splitlines() if "serving" in line and what in line]
        pid = int(re.search(r"pid (\d+)", lines[0])[1]) if lines else pid
    if proc.poll() is None:
        os.kill(pid, random.choice([signal.SIGKILL, signal.SIGINT]) if pid == proc.pid else signal.SIGKILL)
    proc.communicate(timeout=60)
    return what


def check(site, kills):
    a, b = (on_disk(site, user) for user in USERS)
    assert set(a) | set(b) == set(range(MESSAGES)), sorted(set(range(MESSAGES)) - set(a) - set(b))[:20]
    assert max(max(x.values(), default=0) for x in (a, b)) <= kills + 1


def drop_doubles(site, user):
    """So that the next round begins with one of each."""
    seen, extra = set(), []
    for line in finish(site, "-f", "tab", "fetch", "-u", user, "uid hdr.message-id", "mailbox", "INBOX", "all").splitlines()[1:]:
        uid, name = line.split("\t")
        if name in seen:
            extra.append(uid)
        seen.add(name)
    assert len(seen) == MESSAGES, len(seen)
    for at in range(0, len(extra), 500):
        finish(site, "expunge", "-u", user, "mailbox", "INBOX", "uid", ",".join(extra[at:at + 500]))
    return len(extra)


def rounds(site, n):
    doubled, cut = 0, 0
    for i in range(n):
        source, dest = USERS if i % 2 == 0 else USERS[::-1]
        proc = begin(site, source, dest)
        kill_one(site, proc, source, dest)
        cut += proc.returncode != 0
        check(site, 1)
        finish(site, "move", "-u", dest, "INBOX", "user", source, "mailbox", "INBOX", "all")
        check(site, 1)
        assert "messages=0" in finish(site, "mailbox", "status", "-u", source, "messages", "INBOX")
        doubled += drop_doubles(site, dest)
    return cut, doubled


with Site({user: "secret" for user in USERS}, extra="mail_fsync = never", start=False) as site:
    fill(site)
    site.start()
    running = rounds(site, ROUNDS // 2 * 2)
    site.stop()
    stopped = rounds(site, max(2, ROUNDS // 4 * 2))
    for user in USERS:
        finish(site, "verify", "-u", user)
    print(f"cut short: {running[0]} and, stopped, {stopped[0]}; doubled: {running[1]} and {stopped[1]}")
    assert running[0] and stopped[0], "nothing was killed in time"
    for line in site.output().splitlines():
        assert "signal 11" not in line and "signal 6" not in line, line
    open(f"{site.dir}/log", "w").close()
