#!/usr/bin/env python3
"""Lock files of other programs beside an mbox. Postfix and mutt leave theirs empty: such a lock holds as long as any other
(mbox_dotlock_change_timeout), and whoever wants to write waits."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
LOCATION = "mail_location = mbox:~/mail:INBOX=~/inbox\nmbox_write_locks = dotlock\n"
HELD = 12  # seconds: longer than a guard of Dovecot's may be empty


def lock(site):
    path = f"{site.home(USER)}/inbox.lock"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if ROOT:
        os.chown(path, UID, GID)
    return path


def delivery(site):
    """A thread that delivers; it has ended when the message is there."""
    thread = threading.Thread(target=site.deliver, args=(USER, b"Subject: x\r\n\r\nbody\r\n"))
    thread.start()
    return thread


def prepared(site):
    site.deliver(USER, b"Subject: first\r\n\r\nbody\r\n")
    # A file that has just changed keeps a lock from being taken for a dead one's.
    os.utime(f"{site.home(USER)}/inbox", (1000000000, 1000000000))
    return lock(site)


with Site({USER: "secret"}, extra=LOCATION) as site:
    path = prepared(site)
    thread = delivery(site)
    held = os.stat(path).st_ino
    end = time.monotonic() + HELD
    while time.monotonic() < end:
        assert os.path.exists(path) and os.stat(path).st_ino == held and thread.is_alive(), "an empty lock file was broken"
        time.sleep(0.2)
    os.unlink(path)
    wait_for(lambda: not thread.is_alive(), 60)
    imap = site.imap(USER)
    assert imap.select()[1] == [b"2"]
    imap.logout()

with Site({USER: "secret"}, extra=LOCATION + "mbox_dotlock_change_timeout = 2 secs\n") as site:
    path = prepared(site)
    thread = delivery(site)
    wait_for(lambda: not thread.is_alive(), 60)
    assert not os.path.exists(path)
print("mbox_locks: well")
