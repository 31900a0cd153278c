#!/usr/bin/env python3
"""Inboxes in a directory that only root and group mail may write to, as /var/mail: mail_privileged_group. A process of its own
makes and removes the lock files there; no worker has the group; the death of that process and a reload disturb nobody."""
import grp
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, UID, Site, skip, wait_for  # noqa: E402

USER = "anna@example.org"


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def locks(spool):
    """Lock files and what belongs to one, once nobody is at work."""
    return [name for name in os.listdir(spool) if "lock" in name]


def confinement(site, gid):
    helper, = site.kids("roost-dotlock")
    s = status(helper)
    assert set(s["Gid"].split()) == {str(gid)} and "0" not in s["Uid"].split(), s
    assert s["Groups"].split() in ([], [str(gid)]), s["Groups"]
    assert int(s["CapEff"], 16) == 0, s["CapEff"]
    for pid in site.kids("roost-worker"):
        s = status(pid)
        assert str(gid) not in s["Groups"].split() + s["Gid"].split(), s
    return helper


def change(imap, uid, flag):
    assert imap.uid("STORE", uid, "+FLAGS", f"({flag})")[0] == "OK"


def lock_as(spool, pid):
    """As a program does that takes the lock: the server may just have it, for flags."""
    def take():
        try:
            with open(f"{spool}/anna.lock", "x") as f:
                f.write(f"{pid}:{os.uname().nodename}")
            return True
        except FileExistsError:
            return False
    wait_for(take, 20)


def with_others_lock(spool, what):
    """what() while another program holds the lock for a second: it waits, and does it then."""
    lock = f"{spool}/anna.lock"
    lock_as(spool, os.getpid())
    gone = []

    def let_go():
        time.sleep(1)
        gone.append(time.monotonic())
        os.unlink(lock)
    thread = threading.Thread(target=let_go)
    thread.start()
    what()
    done = time.monotonic()
    thread.join()
    assert gone and done >= gone[0], "it did not respect the lock"


def main():
    if not ROOT:
        skip("only root can give a group to one process")
    gid = grp.getgrnam("mail").gr_gid
    with Site({USER: "secret"}, start=False) as site:
        spool = f"{site.dir}/spool"
        os.mkdir(spool)
        os.chown(spool, 0, gid)
        os.chmod(spool, 0o2775)
        site.write_conf(f"mail_location = mbox:~/mail:INBOX={spool}/%n\nmail_privileged_group = mail\nhostname = {os.uname().nodename}\n")
        site.start()
        site.deliver(USER, b"Subject: one\r\n\r\nbody\r\n")
        st = os.stat(f"{spool}/anna")
        assert (st.st_uid, st.st_gid, st.st_mode & 0o777) == (UID, gid, 0o660), st
        helper = confinement(site, gid)

        imap = site.imap(USER)
        assert imap.select("INBOX")[1] == [b"1"]
        change(imap, "1", "$Work")
        with_others_lock(spool, lambda: site.deliver(USER, b"Subject: two\r\n\r\nbody\r\n"))
        # A dead holder's lock is broken at once.
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        lock_as(spool, child)
        site.deliver(USER, b"Subject: three\r\n\r\nbody\r\n")

        os.kill(helper, signal.SIGKILL)
        wait_for(lambda: site.kids("roost-dotlock") not in ([], [helper]), 20)
        change(imap, "2", "$Second")
        site.deliver(USER, b"Subject: four\r\n\r\nbody\r\n")

        generation = site.kids("roost-dotlock")
        site.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: "reloaded (generation 2)" in site.log(), 20)
        change(imap, "3", "$Third")
        site.deliver(USER, b"Subject: five\r\n\r\nbody\r\n")
        assert imap.uid("STORE", "1", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert imap.expunge()[0] == "OK"
        assert imap.uid("SEARCH", "ALL")[1] == [b"2 3 4 5"]
        imap.logout()
        wait_for(lambda: len(site.kids("roost-dotlock")) == 1 and site.kids("roost-dotlock") != generation, 20)
        wait_for(lambda: locks(spool) == [], 20)
        text = open(f"{spool}/anna").read()
        assert text.count("\nX-UID: ") == 4 and "$Second" in text, text
        assert os.stat(f"{spool}/anna").st_uid == UID and GID
        site.stop()
        assert locks(spool) == [], locks(spool)
        for word in ("killed; ", "cannot", "rror"):
            lines = [line for line in site.log().splitlines() if word in line and "signal 9" not in line]
            assert not lines, lines


if __name__ == "__main__":
    main()
    print("privileged_group: well")
