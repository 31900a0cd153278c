"""Alternation: Dovecot 2.3 opens the mail that Roost served and shows the same; it changes some; Roost sees those
changes and renumbers nothing. Several rounds; with the index kept and with the index deleted in between."""
import glob
import imaplib
import os
import random
import shutil
import subprocess
import sys

from testsite import GID, ROOT, UID, Site, skip

USER = "anna@example.org"
PROGRAM = "/usr/lib/dovecot/imap"


class Stdio(imaplib.IMAP4_stream):
    """Dovecot's imap process on a pair of pipes: PREAUTH."""

    def __init__(self, site, location, user=USER, settings=()):
        self._site = site
        self._user = user
        self._settings = settings
        self._location = location
        super().__init__("dovecot")

    def open(self, host=None, port=None, timeout=None):
        home = self._site.home(self._user)
        conf = f"{self._site.dir}/dovecot.conf"
        if not os.path.exists(conf):
            with open(conf, "w") as f:
                f.write(f"log_path = /dev/stderr\nstats_writer_socket_path =\nbase_dir = {self._site.dir}/dc\n"
                        "namespace inbox {\n  inbox = yes\n}\n")
        argv = [PROGRAM, "-c", conf]
        for setting in (f"mail_location={self._location.replace('~', home)}", *self._settings):
            argv += ["-o", setting]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(f"{self._site.dir}/dovecot.log", "ab"),
                                        env={"HOME": home, "USER": self._user, "PATH": os.environ["PATH"]}, cwd="/", **self.ids())
        self.writefile = self.process.stdin
        self.readfile = self.process.stdout
        self.sock = None
        self.host = self.port = None

    def ids(self):
        """Of whom it runs as, for Popen."""
        return {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}

    def shutdown(self):
        self.writefile.close()
        self.process.wait(20)
        self.readfile.close()


def state(imap):
    """Everything that must be equal on both sides."""
    seen = {}
    names = []
    for line in imap.list()[1]:
        name = line.decode().split(' "." ')[-1].split(' "/" ')[-1].strip('"')
        if "\\Noselect" not in line.decode():
            names.append(name)
    for name in sorted(names):
        imap.select(f'"{name}"', readonly=True)
        uidvalidity = imap.response("UIDVALIDITY")[1][0]
        box = {}
        for head in imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")[1]:
            if head is None:
                continue
            text = head.decode()
            uid = int(text.split("UID ")[1].split()[0].rstrip(")"))
            flags = sorted(f.lower() for f in text.split("FLAGS (")[1].split(")")[0].split() if f != "\\Recent")
            date = text.split('INTERNALDATE "')[1].split('"')[0]
            size = int(text.split("RFC822.SIZE ")[1].split()[0].rstrip(")"))
            box[uid] = (flags, imaplib.Internaldate2tuple(f'INTERNALDATE "{date}"'.encode()), size)
        # An mbox without messages has no place for it.
        seen[name] = (uidvalidity if box else None, box)
    subscribed = sorted(line.decode().split(" ")[-1].strip('"') for line in imap.lsub()[1] if line)
    return seen, subscribed


def ids(imap):
    """The object ids (RFC 8474) of mailboxes and messages, as Roost gives them."""
    found = {}
    for line in imap.list()[1]:
        name = line.decode().split(' "." ')[-1].split(' "/" ')[-1].strip('"')
        imap.select(f'"{name}"', readonly=True)
        found[name] = imap.response("MAILBOXID")[1][0]
        assert found[name], name
        for head in imap.uid("FETCH", "1:*", "(UID EMAILID THREADID)")[1]:
            if head is not None:
                uid, rest = head.decode().split("UID ")[1].split(" ", 1)
                found[name, uid] = rest
    return found


def same_ids(before, after, when):
    both = set(before) & set(after)
    assert both, when
    for key in both:
        assert before[key] == after[key], (when, key, before[key], after[key])


def change(imap, rng, who, number):
    """A handful of random changes in INBOX and two folders."""
    imap.select("INBOX")
    uids = [u.decode() for u in imap.uid("SEARCH", "ALL")[1][0].split()]
    for uid in rng.sample(uids, min(4, len(uids))):
        flag = rng.choice([r"\Seen", r"\Flagged", r"\Answered", "$Junk", f"key{who}{rng.randrange(3)}"])
        assert imap.uid("STORE", uid, rng.choice(["+FLAGS", "-FLAGS"]), f"({flag})")[0] == "OK"
    folder = f"{who}{rng.randrange(3)}"
    imap.create(folder)
    (imap.subscribe if rng.random() < 0.6 else imap.unsubscribe)(folder)
    if uids:
        assert imap.uid("COPY", rng.choice(uids), folder)[0] == "OK"
    if len(uids) > 6:
        imap.uid("STORE", rng.choice(uids), "+FLAGS", r"(\Deleted)")
        imap.expunge()
    text = f"Subject: {who} {number}\r\n\r\n" + "text\r\n" * rng.randrange(50)
    assert imap.append("INBOX", rng.choice([r"(\Seen)", "($Forwarded)", ""]), None, text.encode())[0] == "OK"


def compare(a, b, when):
    assert a[1] == b[1], (when, "subscriptions", a[1], b[1])
    assert set(a[0]) == set(b[0]), (when, "folders", sorted(a[0]), sorted(b[0]))
    for name in a[0]:
        assert a[0][name] == b[0][name], (when, name, a[0][name], b[0][name])


def alternate(location, index):
    """location: as in mail_location; index: the index directory, or a pattern of its files, beneath the home.
    The program's argument is the number of rounds."""
    if not os.path.exists(PROGRAM):
        skip("Dovecot is not installed")
    rng = random.Random(7)
    with Site({USER: "secret"}, extra=f"mail_location = {location}\n") as site:
        imap = site.imap(USER)
        assert imap._simple_command("CREATE", "Posted", "(USE (\\Sent))")[0] == "OK"
        imap.logout()
        for n in range(12):
            site.deliver(USER, f"Subject: first {n}\r\n\r\nbody {n}\r\n".encode())
        for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 8):
            imap = site.imap(USER)
            change(imap, rng, "roost", number)
            imap.logout()
            imap = site.imap(USER)
            ours = state(imap)
            our_ids = ids(imap)
            imap.logout()
            site.stop()
            other = Stdio(site, location)
            compare(ours, state(other), f"round {number}: Dovecot after Roost")
            change(other, rng, "dovecot", number)
            if number == 3:
                assert other.rename("Posted", "Outgoing")[0] == "OK"
            theirs = state(other)
            other.logout()
            if number % 3 == 2:
                for path in glob.glob(f"{site.home(USER)}/{index}"):
                    (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
            site.start()
            imap = site.imap(USER)
            compare(theirs, state(imap), f"round {number}: Roost after Dovecot")
            uses = [line.decode().split(" ")[-1] for line in imap.list()[1] if b"\\Sent" in line]
            assert uses == ["Outgoing" if number >= 3 else "Posted"], (number, uses)
            same_ids(our_ids, ids(imap), f"round {number}: object ids")
            imap.logout()
