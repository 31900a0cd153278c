"""Alternation: Dovecot 2.3 opens the mail that Roost served and shows the same; it changes some; Roost sees those
changes and renumbers nothing. Several rounds; with the index kept and with the index deleted in between. Of a Maildir's
inbox also the POP3 UIDLs stay, which Dovecot saves there."""
import contextlib
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


POP3 = "/usr/lib/dovecot/pop3"
IDS = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}


def dovecot(site, program, location, user, settings, ids):
    """A mail process of Dovecot on a pair of pipes, as if the user had logged in."""
    home = site.home(user)
    conf = f"{site.dir}/dovecot.conf"
    if not os.path.exists(conf):
        with open(conf, "w") as f:
            f.write(f"log_path = /dev/stderr\nstats_writer_socket_path =\nbase_dir = {site.dir}/dc\n"
                    "namespace inbox {\n  inbox = yes\n}\n")
    argv = [program, "-c", conf]
    for setting in (f"mail_location={location.replace('~', home)}", *settings):
        argv += ["-o", setting]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(f"{site.dir}/dovecot.log", "ab"),
                            env={"HOME": home, "USER": user, "PATH": os.environ["PATH"]}, cwd="/", **ids)


class Stdio(imaplib.IMAP4_stream):
    """Dovecot's imap process on a pair of pipes: PREAUTH."""

    def __init__(self, site, location, user=USER, settings=()):
        self._site = site
        self._user = user
        self._settings = settings
        self._location = location
        super().__init__("dovecot")

    def open(self, host=None, port=None, timeout=None):
        self.process = dovecot(self._site, PROGRAM, self._location, self._user, self._settings, self.ids())
        self.writefile = self.process.stdin
        self.readfile = self.process.stdout
        self.sock = None
        self.host = self.port = None

    def ids(self):
        """Of whom it runs as, for Popen."""
        return IDS

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
    """A handful of random changes in INBOX and two folders; now and then a folder is renamed, or goes."""
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
        assert imap.uid("MOVE", rng.choice(uids), folder)[0] == "OK"
    text = f"Subject: {who} {number}\r\n\r\n" + "text\r\n" * rng.randrange(50)
    assert imap.append("INBOX", rng.choice([r"(\Seen)", "($Forwarded)", ""]), None, text.encode())[0] == "OK"
    if number % 10 == 9:
        imap.rename(rng.choice(["roost", "dovecot"]) + "0", f"renamed{rng.randrange(3)}")
        imap.delete(rng.choice(["roost1", "dovecot2", "renamed0", "renamed1"]))


def dovecot_uidls(site, location, uids, form):
    """Of each UID in the inbox what Dovecot tells a POP3 client; what has none saved gets one of this form, which is saved."""
    settings = ("pop3_save_uidl=yes", f"pop3_uidl_format={form}")
    said = dovecot(site, POP3, location, USER, settings, IDS).communicate(b"UIDL\r\nQUIT\r\n", 60)[0].decode().split("\r\n")
    lines = said[1:said.index(".")] if "." in said else []
    assert len(lines) == len(uids), (said, uids)
    return {uid: line.split()[1] for uid, line in zip(sorted(uids), lines)}


def roost_uidls(site):
    """Of each UID in the inbox the saved one."""
    done = site.adm("-f", "tab", "dump", "-u", USER, "-t", "uidlist", "INBOX")
    assert done.returncode == 0, done
    head, *rows = (line.split("\t") for line in done.stdout.splitlines())
    return {int(row[head.index("uid")]): row[head.index("uidl")] for row in rows}


def same_uidls(before, after, when):
    """before: what was saved; messages may have come and gone since."""
    for uid in set(before) & set(after):
        assert before[uid] == after[uid], (when, uid, before[uid], after[uid])


def compare(a, b, when):
    assert a[1] == b[1], (when, "subscriptions", a[1], b[1])
    assert set(a[0]) == set(b[0]), (when, "folders", sorted(a[0]), sorted(b[0]))
    for name in a[0]:
        assert a[0][name] == b[0][name], (when, name, a[0][name], b[0][name])


def drop(site, rng, number):
    """What other programs do to a Maildir: one delivers, one reads."""
    top = site.maildir(USER)
    name = f"{1700000000 + number}.M{rng.randrange(10 ** 6)}P1.elsewhere"
    with open(f"{top}/tmp/{name}", "w") as f:
        f.write(f"Subject: dropped {number}\n\ntext\n")
    os.chown(f.name, UID, GID)
    os.rename(f.name, f"{top}/new/{name}")
    base, _, flags = rng.choice(os.listdir(f"{top}/cur")).partition(":2,")
    flags = set(flags) ^ {rng.choice("FRS")}
    with contextlib.suppress(FileNotFoundError):
        os.rename(glob.glob(f"{top}/cur/{base}:*")[0], f"{top}/cur/{base}:2,{''.join(sorted(flags))}")


def roost_turn(site, rng, number):
    """What is there afterwards, and the object ids."""
    imap = site.imap(USER)
    change(imap, rng, "roost", number)
    imap.logout()
    if rng.random() < 0.5:
        site.deliver(USER, f"Subject: delivered {number}\r\n\r\nbody\r\n".encode())
    imap = site.imap(USER)
    ours, our_ids = state(imap), ids(imap)
    imap.logout()
    return ours, our_ids


def dovecot_turn(site, location, rng, number):
    other = Stdio(site, location)
    change(other, rng, "dovecot", number)
    if number == 3:
        assert other.rename("Posted", "Outgoing")[0] == "OK"
    theirs = state(other)
    other.logout()
    return theirs


def forget_index(site, index):
    for path in glob.glob(f"{site.home(USER)}/{index}"):
        (shutil.rmtree if os.path.isdir(path) else os.remove)(path)


class Round:
    """One round after the other; between them only the POP3 UIDLs that Dovecot saved are remembered."""

    def __init__(self, site, location, index, rng):
        self.site, self.location, self.index, self.rng = site, location, index, rng
        self.maildir = location.startswith("maildir:")
        self.plain = location == "maildir:~/Maildir"
        self.saved = {}

    def uidls(self, seen, number, when):
        """Those already saved are as they were, whatever form new ones have by now. In an mbox nothing is saved: what
        they are made of stays, the UIDs and the header's sum."""
        if not os.path.exists(POP3):
            return
        before = self.saved
        form = ["%08Xu%08Xv", "%v.%u", "%f"][number % 3] if self.maildir else "%08Xu%08Xv.%m"
        self.saved = dovecot_uidls(self.site, self.location, seen[0]["INBOX"][1], form)
        same_uidls(before, self.saved, when)

    def run(self, number):
        site, rng = self.site, self.rng
        ours, our_ids = roost_turn(site, rng, number)
        site.stop()
        other = Stdio(site, self.location)
        compare(ours, state(other), f"round {number}: Dovecot after Roost")
        other.logout()
        self.uidls(ours, number, f"round {number}: UIDLs, Dovecot after Roost")
        if self.plain and number % 2:
            drop(site, rng, number)
        theirs = dovecot_turn(site, self.location, rng, number)
        self.uidls(theirs, number + 1, f"round {number}: UIDLs, Dovecot after itself")
        if number % 3 == 2:
            forget_index(site, self.index)
        site.start()
        imap = site.imap(USER)
        compare(theirs, state(imap), f"round {number}: Roost after Dovecot")
        uses = [line.decode().split(" ")[-1] for line in imap.list()[1] if b"\\Sent" in line]
        assert uses == ["Outgoing" if number >= 3 else "Posted"], (number, uses)
        same_ids(our_ids, ids(imap), f"round {number}: object ids")
        imap.logout()
        if self.maildir:
            same_uidls(self.saved, roost_uidls(site), f"round {number}: UIDLs, Roost after Dovecot")


def alternate(location, index):
    """location: as in mail_location; index: the index directory, or a pattern of its files, beneath the home.
    The program's arguments are the number of rounds and a seed."""
    if not os.path.exists(PROGRAM):
        skip("Dovecot is not installed")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with Site({USER: "secret"}, extra=f"mail_location = {location}\n") as site:
        imap = site.imap(USER)
        assert imap._simple_command("CREATE", "Posted", "(USE (\\Sent))")[0] == "OK"
        imap.logout()
        for n in range(12):
            site.deliver(USER, f"Subject: first {n}\r\n\r\nbody {n}\r\n".encode())
        turns = Round(site, location, index, random.Random(seed))
        for number in range(rounds):
            turns.run(number)
            if number % 50 == 49:
                print(f"{location}: {number + 1} rounds", flush=True)
