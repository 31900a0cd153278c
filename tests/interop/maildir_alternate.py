#!/usr/bin/env python3
"""The Maildir store and Dovecot 2.3 take turns at one folder, without a server of ours in between: what one writes the
other reads with the same UIDVALIDITY, UIDs, flags, keywords and subscriptions, and neither makes the other renumber."""
import imaplib
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile

BUILD = os.environ.get("ROOST_BUILD", ".")
CTL = f"{BUILD}/tests/tools/storectl"
DOVECOT = "/usr/lib/dovecot/imap"
UID = 65534
ROUNDS = 12


def skip(reason):
    print(reason)
    sys.exit(77)


class Dovecot(imaplib.IMAP4_stream):
    """Dovecot's imap process on a pair of pipes: PREAUTH."""

    def __init__(self, site):
        self._site = site
        super().__init__("dovecot")

    def open(self, host=None, port=None, timeout=None):
        site = self._site
        ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
        self.process = subprocess.Popen(
            [DOVECOT, "-c", f"{site}/dovecot.conf", "-o", f"mail_location=maildir:{site}/Maildir"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(f"{site}/dovecot.log", "ab"), cwd="/",
            env={"HOME": site, "USER": "joe", "PATH": os.environ["PATH"]}, **ids)
        self.writefile, self.readfile = self.process.stdin, self.process.stdout
        self.sock = self.host = self.port = None

    def shutdown(self):
        self.writefile.close()
        self.process.wait(20)
        self.readfile.close()


def imap_state(imap, box):
    """UIDVALIDITY and {uid: flags}."""
    assert imap.select(box, readonly=True)[0] == "OK"
    uidvalidity = int(imap.response("UIDVALIDITY")[1][0])
    messages = {}
    for head in imap.uid("FETCH", "1:*", "(UID FLAGS)")[1]:
        if head is None:
            continue
        text = head.decode()
        uid = int(text.split("UID ")[1].split()[0].rstrip(")"))
        messages[uid] = {f.lower() for f in text.split("FLAGS (")[1].split(")")[0].split()} - {"\\recent"}
    return uidvalidity, messages


def ctl(site, *words, stdin=b""):
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run([CTL, f"{site}/Maildir", *words], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd="/", **ids)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.decode()


def ctl_state(site, box, number=False, note=None):
    lines = ctl(site, "number" if number else "show", box).splitlines()
    head = lines[0].split()
    assert note in lines[0] if note else "note:" not in lines[0], lines[0]
    messages = {}
    for line in lines[1:]:
        uid = int(line.split()[0])
        assert uid not in messages, lines
        messages[uid] = {f.lower() for f in line.split("(")[1].split(")")[0].split()} - {"\\recent"}
    return int(head[1]), messages


def equal(site, imap, boxes):
    for box in boxes:
        theirs = imap_state(imap, box)
        ours = ctl_state(site, box)
        assert theirs == ours, f"{box}\nDovecot {theirs}\nRoost   {ours}"
        assert imap_state(imap, box) == theirs
    lsub = sorted(line.decode().split(" ")[-1].strip('"') for line in imap.lsub()[1] if line)
    assert lsub == sorted(ctl(site, "subs").split()), (lsub, ctl(site, "subs"))


def message(rng):
    body = "".join(rng.choice("abc xyz\n") for _ in range(rng.randrange(2000)))
    return f"From: a@example.org\nSubject: {rng.random()}\n\n{body}\n".encode()


FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Junk", "$Forwarded", "work", "Later"]


def drop(site, rng, box_dir, where):
    """What another program's delivery looks like."""
    name = f"{1600000000 + rng.randrange(10 ** 8)}.M{rng.randrange(10 ** 6)}P1.elsewhere"
    path = f"{site}/Maildir/{box_dir}{where}/{name}" + (":2,S" if where == "cur" else "")
    with open(path, "wb") as f:
        f.write(message(rng))
    os.chown(path, os.stat(f"{site}/Maildir").st_uid, -1)


def roost_turn(site, rng, box):
    for _ in range(rng.randrange(4)):
        ctl(site, "add", box, *rng.sample(FLAGS, rng.randrange(4)), stdin=message(rng))
    _, messages = ctl_state(site, box, number=True)
    for uid in rng.sample(sorted(messages), min(3, len(messages))):
        ctl(site, "flags", box, str(uid), *rng.sample(FLAGS, rng.randrange(4)))
    if len(messages) > 5:
        ctl(site, "expunge", box, str(rng.choice(sorted(messages))))
    ctl(site, rng.choice(["sub", "unsub"]), rng.choice(["INBOX", "Arch.2020", "Other"]))


def dovecot_turn(imap, rng, box):
    imap.select(box)
    for _ in range(rng.randrange(4)):
        flags = " ".join(rng.sample(FLAGS, rng.randrange(4)))
        assert imap.append(box, f"({flags})", None, message(rng).replace(b"\n", b"\r\n"))[0] == "OK"
    imap.noop()
    uids = [int(u) for u in imap.uid("SEARCH", "ALL")[1][0].split()]
    for uid in rng.sample(uids, min(3, len(uids))):
        how = rng.choice(["FLAGS", "+FLAGS", "-FLAGS"])
        assert imap.uid("STORE", str(uid), how, f"({' '.join(rng.sample(FLAGS, 2))})")[0] == "OK"
    if len(uids) > 5:
        imap.uid("STORE", str(rng.choice(uids)), "+FLAGS", "(\\Deleted)")
        imap.expunge()
    getattr(imap, rng.choice(["subscribe", "unsubscribe"]))(rng.choice(["INBOX", "Arch.2020", "Other"]))
    imap.close()


def forget_indexes(site):
    for top, _, files in os.walk(f"{site}/Maildir"):
        for name in files:
            if name.startswith("dovecot.index") or name.startswith("dovecot.list") or name == "dovecot.mailbox.log":
                os.unlink(f"{top}/{name}")


def rounds(site, rng, boxes):
    for i in range(ROUNDS):
        box = rng.choice(boxes)
        before = ctl_state(site, box)[0]
        roost_turn(site, rng, box)
        drop(site, rng, "" if box == "INBOX" else f".{box}/", rng.choice(["new", "cur"]))
        if i % 3 == 0:
            forget_indexes(site)
        imap = Dovecot(site)
        equal_after_numbering(site, imap, boxes)
        dovecot_turn(imap, rng, box)
        equal(site, imap, boxes)
        imap.logout()
        drop(site, rng, "" if box == "INBOX" else f".{box}/", "new")
        ctl_state(site, box, number=True)
        imap = Dovecot(site)
        equal(site, imap, boxes)
        imap.logout()
        assert ctl_state(site, box)[0] == before


def equal_after_numbering(site, imap, boxes):
    for box in boxes:
        imap_state(imap, box)
    equal(site, imap, boxes)


def folders(site, rng):
    """Each makes, renames and removes folders for the other."""
    ctl(site, "create", "From.Roost")
    imap = Dovecot(site)
    assert imap.create("From.Dovecot")[0] == "OK"
    names = ctl(site, "list")
    assert "From.Roost\n" in names and "From.Dovecot\n" in names, names
    uidvalidity = imap_state(imap, "From.Roost")[0]
    assert ctl_state(site, "From.Roost")[0] == uidvalidity
    imap.append("From.Dovecot", None, None, b"Subject: x\r\n\r\nx\r\n")
    dovecots = imap_state(imap, "From.Dovecot")
    assert ctl_state(site, "From.Dovecot") == dovecots
    imap.logout()
    ctl(site, "rename", "From", "To")
    imap = Dovecot(site)
    assert imap_state(imap, "To.Dovecot") == dovecots
    assert imap.delete("To.Roost")[0] == "OK"
    ctl(site, "create", "To.Roost")
    assert ctl_state_new(site, "To.Roost") > uidvalidity
    imap.logout()
    ctl(site, "remove", "To.Roost")
    imap = Dovecot(site)
    assert imap.create("To.Roost")[0] == "OK"
    assert imap_state(imap, "To.Roost")[0] > uidvalidity
    listed = [line.decode() for line in imap.list()[1]]
    assert not any("roost" in line or "TRASH" in line for line in listed), listed
    imap.logout()


def ctl_state_new(site, box):
    return int(ctl(site, "show", box).split()[1])


def many_expunged(site, rng):
    """We leave dead records out of the list; Dovecot reads on with the same UIDs, and the other way round."""
    ctl(site, "create", "Many")
    for i in range(90):
        with open(f"{site}/Maildir/.Many/cur/{1500000000 + i}.M1P1.x:2,", "wb") as f:
            f.write(b"Subject: x\n\nx\n")
        os.chown(f.name, os.stat(f"{site}/Maildir").st_uid, -1)
    ctl(site, "number", "Many")
    with open(f"{site}/Maildir/.Many/dovecot-uidlist") as f:
        assert len(f.readlines()) == 91
    imap = Dovecot(site)
    equal(site, imap, ["Many"])
    imap.logout()
    uidvalidity, messages = ctl_state(site, "Many")
    for name in sorted(os.listdir(f"{site}/Maildir/.Many/cur"))[:79]:
        os.unlink(f"{site}/Maildir/.Many/cur/{name}")
    ctl(site, "expunge", "Many", "80")
    with open(f"{site}/Maildir/.Many/dovecot-uidlist") as f:
        assert len(f.readlines()) == 11
    forget_indexes(site)
    imap = Dovecot(site)
    theirs = imap_state(imap, "Many")
    assert theirs == (uidvalidity, {uid: set() for uid in range(81, 91)}), theirs
    imap.append("Many", None, None, b"Subject: x\r\n\r\nx\r\n")
    assert 91 in imap_state(imap, "Many")[1]
    equal(site, imap, ["Many"])
    imap.logout()


def many_keywords(site, rng):
    """Keywords beyond the 26 letters stay with us while Dovecot works on the rest."""
    ctl(site, "create", "Keys")
    words = [f"word{i}" for i in range(30)]
    for word in words:
        ctl(site, "add", "Keys", word, stdin=message(rng))
    imap = Dovecot(site)
    theirs = imap_state(imap, "Keys")[1]
    assert theirs[1] == {"word0"} and theirs[26] == {"word25"} and theirs[27] == set(), theirs
    imap.select("Keys")
    imap.uid("STORE", "1:*", "+FLAGS", "(\\Flagged)")
    imap.logout()
    ours = ctl_state(site, "Keys", note="it has 26 keywords")[1]
    for i, word in enumerate(words):
        assert ours[i + 1] == {word, "\\flagged"}, (i, ours[i + 1])


def at_once(site, rng):
    """Both add at the same time; each in turn finds the list locked, and nothing is lost or numbered twice."""
    ctl(site, "create", "Busy")
    ctl(site, "show", "Busy")
    ids = {"user": UID, "group": UID, "extra_groups": []} if os.getuid() == 0 else {}
    script = f"for i in $(seq 40); do echo x | {CTL} {site}/Maildir add Busy || true; done"
    writers = [subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                                **ids) for _ in range(2)]
    imap = Dovecot(site)
    imap.select("Busy")
    for i in range(40):
        assert imap.append("Busy", None, None, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    for writer in writers:
        writer.wait()
    imap.logout()
    uidvalidity, messages = ctl_state(site, "Busy", number=True)
    assert len(messages) == 120 and 0 not in messages, messages
    imap = Dovecot(site)
    assert imap_state(imap, "Busy") == (uidvalidity, messages)
    equal(site, imap, ["Busy"])
    imap.logout()


def main():
    if not os.access(DOVECOT, os.X_OK):
        skip(f"{DOVECOT} is not installed")
    if not os.access(CTL, os.X_OK):
        skip(f"{CTL} is not built")
    seed = int(os.environ.get("SEED", random.randrange(10 ** 6)))
    print(f"seed {seed} on {socket.gethostname()}")
    rng = random.Random(seed)
    site = tempfile.mkdtemp(prefix="roost-alternate-")
    os.chmod(site, 0o755)
    with open(f"{site}/dovecot.conf", "w") as f:
        f.write(f"stats_writer_socket_path =\nbase_dir = {site}/dc\n"
                "namespace inbox {\n  inbox = yes\n}\n")
    if os.getuid() == 0:
        os.chown(site, UID, UID)
    try:
        ctl(site, "create", "INBOX")
        ctl(site, "create", "Arch.2020")
        for box in ("INBOX", "Arch.2020"):
            ctl(site, "add", box, "\\Seen", "work", stdin=message(rng))
        rounds(site, rng, ["INBOX", "Arch.2020"])
        folders(site, rng)
        many_expunged(site, rng)
        many_keywords(site, rng)
        at_once(site, rng)
        with open(f"{site}/dovecot.log") as f:
            bad = [line for line in f if "Error" in line or "Warning" in line]
        assert not bad, "".join(bad)
    except BaseException:
        subprocess.run(["sh", "-c", f"tail -5 {site}/dovecot.log; head -20 {site}/Maildir/dovecot-uidlist"])
        raise
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(site, ignore_errors=True)


main()
