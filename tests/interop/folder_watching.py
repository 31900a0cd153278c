#!/usr/bin/env python3
"""Folders that another program makes, renames and removes are told to NOTIFY at once, without polling: Maildir++, LAYOUT=fs
at any depth, with a directory for the messages, and with the folders elsewhere."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, UID, Site  # noqa: E402

USER = "anna@example.org"
SHAPES = {
    "maildir:~/Maildir": ("Maildir", ".{}", ".", ""),
    "maildir:~/Maildir:LAYOUT=fs": ("Maildir", "{}", "/", ""),
    "maildir:~/Maildir:LAYOUT=fs:DIRNAME=mAil:CONTROL=~/control": ("Maildir", "{}", "/", "/mAil"),
    "maildir:~/Maildir:LAYOUT=fs:MAILBOXDIR=boxes:INDEX=~/index": ("Maildir/boxes", "{}", "/", ""),
}


class Outside:
    """Another program, with the directories as they lie."""

    def __init__(self, site, shape):
        root, self.form, self.sep, self.inner = shape
        self.root = f"{site.home(USER)}/{root}"

    def path(self, name):
        return f"{self.root}/{self.form.format(name.replace('/', self.sep))}"

    def make(self, name):
        for sub in ("tmp", "new", "cur"):
            os.makedirs(f"{self.path(name)}{self.inner}/{sub}", exist_ok=True)
        if ROOT:
            subprocess.run(["chown", "-R", f"{UID}:{GID}", self.root], check=True)

    def rename(self, old, new):
        os.rename(self.path(old), self.path(new))

    def remove(self, name):
        shutil.rmtree(self.path(name))


def hears(stream, *words):
    """The next LIST that has all these; the stream has a timeout."""
    while True:
        line = stream.readline().decode()
        assert line, words
        if line.startswith("* LIST") and all(word in line for word in words):
            return line


def say(stream, line):
    stream.write(b"t " + line.encode() + b"\r\n")
    stream.flush()
    got = b""
    while not got.startswith(b"t "):
        got = stream.readline()
    assert got.startswith(b"t OK"), got


def run(location, shape):
    with Site({USER: "secret"}, extra=f"mail_location = {location}\nmailbox_idle_check_interval = 1 hours\n") as site:
        imap = site.imap(USER)
        imap.sock.settimeout(20)
        stream = imap.sock.makefile("rwb")
        sep = shape[2]
        say(stream, f"CREATE deep{sep}er")
        say(stream, "NOTIFY SET (personal (MailboxName SubscriptionChange))")
        stream.write(b"i IDLE\r\n")
        stream.flush()
        assert stream.readline().startswith(b"+")
        other = Outside(site, shape)
        for n, name in enumerate(("one", "deep/er/two", "deep/er/two/three", "fresh/tree/at/once", "fresh/tree/more", "dovecot-people", "roost-x/deep.lock", "roost-x/deep.lock/er")):
            other.make(name)
            hears(stream, name.replace("/", sep))
        other.rename("deep/er/two/three", "deep/er/two/four")
        hears(stream, "OLDNAME", f"deep{sep}er{sep}two{sep}four")
        other.make("deep/er/two/four/five")
        hears(stream, f"four{sep}five")
        if sep == "/":
            other.rename("deep", "moved")
            hears(stream, "OLDNAME", "moved/er")
            other.make("moved/er/two/six")
            hears(stream, "moved/er/two/six")
        other.remove("one")
        hears(stream, "NonExistent", " one" if sep != "/" else "one")
        # Ours, by another session.
        second = site.imap(USER)
        assert second.create(f"mine{sep}a")[0] == "OK"
        hears(stream, f"mine{sep}a")
        assert second.rename(f"mine{sep}a", f"mine{sep}b")[0] == "OK"
        hears(stream, "OLDNAME", f"mine{sep}b")
        assert second.subscribe(f"mine{sep}b")[0] == "OK"
        hears(stream, "Subscribed", f"mine{sep}b")
        assert second.delete(f"mine{sep}b")[0] == "OK"
        hears(stream, "NonExistent", f"mine{sep}b")
        second.logout()
        stream.write(b"DONE\r\n")
        stream.flush()
        while not stream.readline().startswith(b"i OK"):
            pass
        stream.close()
        imap.sock.close()


for where, how in SHAPES.items():
    run(where, how)
print("folder_watching: well")
