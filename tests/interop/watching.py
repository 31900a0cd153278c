#!/usr/bin/env python3
"""Changes by other programs reach those who wait, by IDLE or by NOTIFY: within a second where folders can be watched (by the
median, for the machine may be busy; never by a look now and then, for the next would be in an hour), and within
mailbox_idle_check_interval where they cannot (the user's inotify instances are all taken), and where they never can be an error
for the user.

Other programs are mv, rm and cp here, maildirmake's steps for folders, and Dovecot where one is there (dovecot.py)."""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
PATIENCE = 20
COUNT = [0]


class Client:
    """A session whose untagged lines are awaited one by one."""

    def __init__(self, site):
        self.sock = socket.create_connection(("127.0.0.1", site.imap_port), 30)
        self.rest, self.waited = b"", []
        self.line()
        self.say(b"a LOGIN %s secret" % USER.encode())
        self.until(rb"a OK")

    def line(self, seconds=30):
        self.sock.settimeout(max(0.001, seconds))
        while b"\n" not in self.rest:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError
            self.rest += got
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, text):
        self.sock.sendall(text + b"\r\n")

    def until(self, pattern, seconds=PATIENCE):
        """Lines up to the one that matches."""
        began, seen = time.monotonic(), []
        while True:
            try:
                line = self.line(began + seconds - time.monotonic())
            except TimeoutError:
                raise AssertionError(f"no {pattern} within {seconds} s; only {seen}") from None
            if re.match(pattern, line):
                self.waited.append(time.monotonic() - began)
                return line
            seen.append(line)

    def command(self, text):
        self.say(b"c " + text)
        return self.until(rb"c (OK|NO|BAD)")


def as_owner(path):
    if ROOT:
        os.chown(path, UID, GID)


def base():
    COUNT[0] += 1
    return f"{int(time.time())}.M{COUNT[0]:06d}P7.other"


def put(folder, where, name):
    """As maildrop and cp do: a whole file in tmp/, then its name."""
    path = f"{folder}/tmp/{name}"
    with open(path, "w") as f:
        f.write("Subject: x\n\nbody\n")
    as_owner(path)
    os.rename(path, f"{folder}/{where}/{name}")


def rename(folder, name, to):
    os.rename(f"{folder}/cur/{name}", f"{folder}/cur/{to}")


def make_folder(top, name):
    """maildirmake's order: the folder, then what is in it."""
    for part in ("", "/tmp", "/new", "/cur"):
        os.mkdir(f"{top}/{name}{part}", 0o700)
        as_owner(f"{top}/{name}{part}")
        time.sleep(0.02)


def watch_selected(top, client):
    """What IDLE and NOTIFY tell of the selected mailbox."""
    name = base()
    put(top, "new", name)
    exists = client.until(rb"\* \d+ EXISTS")
    number = exists.split()[1]
    other = base() + ":2,"
    put(top, "cur", other)
    client.until(rb"\* \d+ EXISTS")
    rename(top, other, other + "F")
    client.until(rb"\* \d+ FETCH \(.*FLAGS \(.*\\Flagged")
    os.rename(f"{top}/new/{name}", f"{top}/cur/{name}:2,S") if os.path.exists(f"{top}/new/{name}") else \
        rename(top, found(top, name), name + ":2,S")
    client.until(rb"\* %s FETCH \(.*FLAGS \(.*\\Seen" % number)
    os.unlink(f"{top}/cur/{other}F")
    client.until(rb"\* \d+ EXPUNGE")


def found(top, name):
    def look():
        names = [n for n in os.listdir(f"{top}/cur") if n.startswith(name)]
        return names and names[0]
    return wait_for(look)


def watch_others(top, client):
    """What NOTIFY tells of another mailbox and of folders."""
    box = f"{top}/.other"
    name = base()
    put(box, "new", name)
    client.until(rb"\* STATUS other \(MESSAGES 1 UIDNEXT 2")
    second = base() + ":2,"
    put(box, "cur", second)
    client.until(rb"\* STATUS other \(MESSAGES 2 UIDNEXT 3")
    rename(box, second, second + "S")
    client.until(rb"\* STATUS other \(.*UNSEEN 1")
    os.unlink(f"{box}/cur/{second}S")
    client.until(rb"\* STATUS other \(MESSAGES 1 UIDNEXT 3")
    make_folder(top, ".fresh")
    client.until(rb"\* LIST \(\\HasNoChildren\) \"\.\" fresh$")
    put(f"{top}/.fresh", "new", base())
    client.until(rb"\* STATUS fresh \(MESSAGES 1 UIDNEXT 2")
    os.rename(f"{top}/.fresh", f"{top}/.stale")
    client.until(rb"\* LIST \(\\HasNoChildren\) \"\.\" stale \(\"OLDNAME\" \(fresh\)\)")
    put(f"{top}/.stale", "new", base())
    client.until(rb"\* STATUS stale \(MESSAGES 2 UIDNEXT 3")
    os.rename(f"{top}/.stale", f"{top}/../gone")
    shutil.rmtree(f"{top}/../gone")
    client.until(rb"\* LIST \(\\NonExistent.*\) \"\.\" stale$")
    with open(f"{top}/subscriptions", "w") as f:
        f.write("V\t2\n\nother\n")
    as_owner(f"{top}/subscriptions")
    client.until(rb"\* LIST \(.*\\Subscribed\) \"\.\" other$")


def play(site, polled):
    top = site.maildir(USER)
    idle = Client(site)
    assert b"OK" in idle.command(b"CREATE other")
    idle.command(b"SELECT INBOX")
    idle.say(b"d IDLE")
    idle.until(rb"\+ ")
    idle.waited.clear()
    watch_selected(top, idle)
    assert polled or statistics.median(idle.waited) < 1, idle.waited
    print("IDLE hears what others do")

    notify = Client(site)
    notify.command(b"SELECT INBOX")
    answer = notify.command(b"NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge "
                            b"FlagChange MailboxName SubscriptionChange))")
    assert b"OK" in answer, answer
    notify.waited.clear()
    watch_selected(top, notify)
    watch_others(top, notify)
    assert polled or statistics.median(notify.waited) < 1, notify.waited
    print("NOTIFY hears what others do")
    counts = [inotify(pid) for pid in site.kids("roost-worker")]
    assert (max(counts, default=0) == 0) == polled, counts
    return idle, notify


def inotify(pid):
    """How many inotify instances a process has."""
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.readlink(f"/proc/{pid}/fd/{fd}") == "anon_inode:inotify"
        except FileNotFoundError:
            pass
    return n


def watches(pid):
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                n += f.read().count("inotify wd:")
        except FileNotFoundError:
            pass
    return n


def many(site):
    """Two sessions that hear of 150 mailboxes: two watches each and one for the root, no descriptor, nothing to do when idle."""
    top = site.maildir(USER)
    for i in range(150):
        for part in ("", "/tmp", "/new", "/cur"):
            os.mkdir(f"{top}/.many{i}{part}", 0o700)
            as_owner(f"{top}/.many{i}{part}")
    clients = [Client(site), Client(site)]
    for c in clients:
        assert b"OK" in c.command(b"NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))")
    pid = max(site.kids("roost-worker"), key=watches)
    boxes = sum(os.path.isdir(f"{top}/{d}/cur") for d in os.listdir(top) if d.startswith(".")) + 1
    assert watches(pid) == 2 * boxes + 1, (watches(pid), boxes)
    assert len(os.listdir(f"/proc/{pid}/fd")) < 60
    put(f"{top}/.many77", "new", base())
    for c in clients:
        c.until(rb"\* STATUS many77 \(MESSAGES 1 UIDNEXT 2")
    wait_for(lambda: rests(pid, 2.5))
    assert rests(pid, 2), "an idle session works"
    print(f"{boxes} mailboxes, two sessions: {watches(pid)} watches, {len(os.listdir(f'/proc/{pid}/fd'))} descriptors")


def rests(pid, seconds):
    """It does nothing for so long; on a slow machine what was asked for before may still be under way."""
    before = ticks(pid)
    time.sleep(seconds)
    return ticks(pid) - before <= 1


def ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def take_instances():
    """A process of the mail's owner that has all his inotify instances; ends when its input does."""
    code = ("import ctypes, os, sys\n"
            f"if {ROOT}:\n    os.setgroups([]); os.setgid({GID}); os.setuid({UID})\n"
            "libc = ctypes.CDLL(None)\n"
            "n = 0\n"
            "while libc.inotify_init() >= 0:\n    n += 1\n"
            "print(n, flush=True)\n"
            "sys.stdin.read()\n")
    p = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(f"another process takes {int(p.stdout.readline())} inotify instances")
    return p


def main():
    with Site(users={USER: "secret"}, extra="mailbox_idle_check_interval = 1 hours\n") as site:
        sessions = play(site, False)
        many(site)
        del sessions
    hog = take_instances()
    try:
        with Site(users={USER: "secret"}, extra="mailbox_idle_check_interval = 1 secs\n") as site:
            play(site, True)
    finally:
        hog.stdin.close()
        hog.wait()


if __name__ == "__main__":
    main()
