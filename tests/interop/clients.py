#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Mail programs of the distribution, each doing what its users do with it, against the whole server.

Each function skips itself when its program is not installed. Usage: clients.py [NAME...]
"""
import mailbox
import os
import pty
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site, skip, wait_for  # noqa: E402

USER, OTHER = "anna@example.org", "ben@example.org"
MAILS = 5


def mail(i):
    return (f"From: Friend {i} <f{i}@example.net>\r\nTo: {USER}\r\nSubject: mail {i}\r\n"
            f"Date: Mon, {i + 1} Jan 2024 10:00:00 +0000\r\nMessage-ID: <{i}@example.net>\r\n\r\nHello {i}\r\n").encode()


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def run(site, *argv, ok=(0,), **more):
    env = dict(os.environ, HOME=site.dir, TERM="xterm", **more)
    done = subprocess.run(argv, env=env, cwd=site.dir, capture_output=True, text=True, timeout=120)
    assert done.returncode in ok, (argv, done.returncode, done.stdout[-3000:], done.stderr[-3000:])
    return done.stdout + done.stderr


class Terminal:
    """A program on a terminal: what it shows is awaited, then keys are pressed."""
    def __init__(self, site, *argv):
        self.shown = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=site.dir, TERM="xterm", LINES="24", COLUMNS="80")
            os.chdir(site.dir)
            os.execvp(argv[0], argv)

    def press(self, keys, until=None, seconds=25):
        """Presses the keys, then waits for the text."""
        self.shown = b""
        os.write(self.fd, keys.encode())
        self.wait(until, seconds)

    def wait(self, until, seconds=25):
        end = time.monotonic() + seconds
        while until is not None and until.encode() not in self.shown:
            assert time.monotonic() < end, (until, self.shown[-3000:])
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                self.shown += os.read(self.fd, 65536)
            except OSError:
                raise AssertionError(f"it ended before it showed {until!r}: {self.shown[-3000:]!r}") from None

    def end(self, seconds=25):
        """It must end by itself."""
        stop = time.monotonic() + seconds
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            assert time.monotonic() < stop, self.shown[-3000:]
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.fd, 65536)
                except OSError:
                    pass
        os.close(self.fd)


def uids(imap, folder="INBOX", *search):
    ok, why = imap.select(folder, readonly=True)
    assert ok == "OK", why
    return [int(n) for n in imap.uid("SEARCH", *(search or ("ALL",)))[1][0].split()]


def mutt(site, program="mutt"):
    """Reads, flags, deletes, saves to a new folder, starts again with its cache (QRESYNC)."""
    os.mkdir(site.dir + "/cache")
    rc = write(site.dir + "/muttrc", f"""
set folder="imap://127.0.0.1:{site.imap_port}/" spoolfile="+INBOX" imap_user="{USER}" imap_pass="secret"
set ssl_starttls=no ssl_force_tls=no imap_idle=yes imap_condstore=yes imap_qresync=yes header_cache="{site.dir}/cache"
set record="" confirmappend=no confirmcreate=no quit=yes delete=yes move=no mark_old=no sleep_time=0
""")
    t = Terminal(site, program, "-F", rc, "-n")
    t.wait("mail 4")
    t.press("1\n\n", "Hello 0")
    t.press("i", "mail 4")
    t.press("2\nF3\ns=Kept\n", "Kept")
    t.press("4\nd$", "mail 4")
    t.press("q")
    t.end()
    imap = site.imap(USER)
    assert uids(imap) == [1, 2, 5] and uids(imap, "INBOX", "FLAGGED") == [2] and uids(imap, "Kept") == [1], (
        uids(imap), uids(imap, "INBOX", "FLAGGED"))
    t = Terminal(site, program, "-F", rc, "-n")
    t.wait("mail 4")
    t.press("q")
    t.end()


def neomutt(site):
    mutt(site, "neomutt")


def fetchmail(site):
    """Takes what is new and marks it seen; again: nothing; then takes all and deletes."""
    rc = write(site.dir + "/fetchmailrc", f"""
set no bouncemail
poll 127.0.0.1 protocol imap port {site.imap_port} user "{USER}" password "secret" sslproto ''
mda "cat >> {site.dir}/mbox"
""")
    words = ["fetchmail", "-f", rc, "-i", site.dir + "/ids", "--pidfile", site.dir + "/fm.pid"]
    run(site, *words, "--keep")
    with open(site.dir + "/mbox") as f:
        assert f.read().count("\nSubject: mail ") == MAILS
    run(site, *words, "--keep", ok=(1,))
    imap = site.imap(USER)
    assert uids(imap, "INBOX", "SEEN") == [1, 2, 3, 4, 5]
    run(site, *words, "--all", "--nokeep")
    assert uids(imap) == []


def getmail(site):
    """Takes all, knows them by UID, deletes."""
    os.makedirs(site.dir + "/.config/getmail")
    for sub in ("", "/cur", "/new", "/tmp"):
        os.mkdir(site.dir + "/got" + sub)
        if os.geteuid() == 0:
            shutil.chown(site.dir + "/got" + sub, "nobody")
    rc = write(site.dir + "/.config/getmail/getmailrc", f"""
[retriever]
type = SimpleIMAPRetriever
server = 127.0.0.1
port = {site.imap_port}
username = {USER}
password = secret
mailboxes = ("INBOX",)
[destination]
type = Maildir
path = {site.dir}/got/
user = {'nobody' if os.geteuid() == 0 else os.environ.get('USER', '')}
[options]
read_all = false
delete = false
""")
    # It sleeps for minutes when the child that writes a message ends before it waits for that.
    write(site.dir + "/got/sitecustomize.py", "import os, time\nfork = os.fork\ndef slow():\n pid = fork()\n"
          " pid or time.sleep(0.2)\n return pid\nos.fork = slow\n")
    slow = {"PYTHONPATH": site.dir + "/got"}
    run(site, "getmail", "--rcfile", rc, **slow)
    run(site, "getmail", "--rcfile", rc, **slow)
    assert len(os.listdir(site.dir + "/got/new")) == MAILS
    run(site, "getmail", "--rcfile", rc, "--delete", "--all", **slow)
    assert uids(site.imap(USER)) == []


def offlineimap(site):
    """Mirrors both ways: a new folder and a flag from there to here, a message from here to there, a deletion back."""
    rc = write(site.dir + "/offlineimaprc", f"""
[general]
accounts = a
metadata = {site.dir}/meta
ui = basic
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = {site.dir}/local
sync_deletes = yes
[Repository r]
type = IMAP
remotehost = 127.0.0.1
remoteport = {site.imap_port}
remoteuser = {USER}
remotepass = secret
ssl = no
starttls = no
auth_mechanisms = PLAIN
""")
    run(site, "offlineimap", "-c", rc, "-o")
    box = mailbox.Maildir(site.dir + "/local/INBOX", create=False)
    assert len(box) == MAILS, os.listdir(site.dir + "/local")
    key = next(k for k in box.keys() if box[k]["Subject"] == "mail 3")
    box.remove(key)
    box.add(mailbox.MaildirMessage(mail(9)))
    imap = site.imap(USER)
    imap.create("Other")
    imap.append("Other", "(\\Flagged)", None, mail(8))
    run(site, "offlineimap", "-c", rc, "-o")
    assert len(mailbox.Maildir(site.dir + "/local/Other", create=False)) == 1
    assert uids(imap) == [1, 2, 3, 5, 6]
    imap.select("INBOX")
    imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    imap.expunge()
    run(site, "offlineimap", "-c", rc, "-o")
    assert len(mailbox.Maildir(site.dir + "/local/INBOX", create=False)) == MAILS - 1


def imapfilter(site):
    """Searches, marks, moves."""
    rc = write(site.dir + "/filter.lua", f"""
options.timeout = 60; options.create = true; options.subscribe = true; options.starttls = false
a = IMAP {{ server = "127.0.0.1", port = {site.imap_port}, username = "{USER}", password = "secret" }}
r = a.INBOX:contain_subject("mail 3") + a.INBOX:contain_from("f1@")
r:mark_flagged()
r:move_messages(a["Sorted"])
a.INBOX:is_unseen():mark_seen()
""")
    run(site, "imapfilter", "-c", rc)
    imap = site.imap(USER)
    assert uids(imap) == [1, 3, 5] == uids(imap, "INBOX", "SEEN") and uids(imap, "Sorted", "FLAGGED") == [1, 2]


def s_nail(site):
    """Reads headers, deletes one."""
    rc = write(site.dir + "/mailrc", f"""
set v15-compat folder=imap://anna%40example.org:secret@127.0.0.1:{site.imap_port}/INBOX
set imap-auth=login
set password=secret
""")
    env = dict(os.environ, HOME=site.dir, MAILRC=rc)
    url = f"imap://anna%40example.org:secret@127.0.0.1:{site.imap_port}/INBOX"
    done = subprocess.run(["s-nail", "-n", "-S", "v15-compat", "-S", "imap-auth=login", "-f", url], env=env, timeout=60,
                          input=b"headers\ntype 2\ndelete 4\nquit\n", capture_output=True)
    assert b"Hello 1" in done.stdout, (done.stdout[-2000:], done.stderr[-2000:])
    assert uids(site.imap(USER)) == [1, 2, 3, 5]


def alpine(site):
    """Opens the inbox, reads, deletes, expunges."""
    rc = write(site.dir + "/.pinerc", f"""
user-domain=example.org
inbox-path={{127.0.0.1:{site.imap_port}/imap/notls/user={USER}}}INBOX
feature-list=quit-without-confirm,expunge-without-confirm
last-version-used=9.99
""")
    t = Terminal(site, "alpine", "-p", rc, "-i")
    t.wait("PASSWORD:")
    time.sleep(0.5)
    t.press("secret\r", "Preserve password")
    t.press("n", "mail 4")
    t.press("\r", "Hello")
    t.press("i", "mail 4")
    t.press("d")
    t.press("x", "xpunge")
    t.press("q")
    t.end()
    assert uids(site.imap(USER)) == [2, 3, 4, 5]


def aerc(site):
    """Threads, sorts, copies to a new folder, deletes all but one at a time (it guesses the order of EXPUNGEs)."""
    os.makedirs(site.dir + "/.config/aerc")
    write(site.dir + "/.config/aerc/accounts.conf", f"""
[a]
source = imap+insecure://anna%40example.org:secret@127.0.0.1:{site.imap_port}
default = INBOX
from = Anna <{USER}>
""")
    t = Terminal(site, "aerc")
    t.wait("mail 4")
    t.press("\r", "Hello")
    t.press(":close\r", "mail 4")
    for command in ("toggle-threads", "sort date", "mkdir Kept", "cf INBOX", "mark -a", "cp Kept", "select 2", "mark",
                    "select 4", "mark", "delete"):
        time.sleep(0.3)
        t.press(f":{command}\r")
    imap = site.imap(USER)
    wait_for(lambda: len(uids(imap)) == MAILS - 2 and len(uids(imap, "Kept")) == MAILS)
    t.press(":quit -f\r")
    t.end()


PROGRAMS = (mutt, neomutt, alpine, aerc, fetchmail, getmail, offlineimap, imapfilter, s_nail)


def main():
    played = 0
    for play in PROGRAMS:
        name = play.__name__
        if (sys.argv[1:] and name not in sys.argv[1:]) or not shutil.which(name.replace("_", "-")):
            continue
        with Site({USER: "secret", OTHER: "secret"}) as site:
            for i in range(MAILS):
                site.deliver(USER, mail(i))
            play(site)
            print(name, "is served", flush=True)
        played += 1
    if not played:
        skip("none of the mail programs is installed")


main()
