#!/usr/bin/env python3
"""One mbox in a spool directory, and at the same time Postfix's local, procmail, mutt, Dovecot, and Roost's LMTP and IMAP append to it
and change it: nothing lost, nothing twice, no UID ever another message's, and in the end Dovecot sees what Roost sees.

Argument: how many seconds (8)."""
import grp
import os
import pty
import pwd
import random
import re
import select
import signal
import smtplib
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testpostfix import Postfix  # noqa: E402
from testsite import CONF, ROOT, Site, free_ports, need, skip, wait_for  # noqa: E402

USER = "games"  # an account that every Debian has
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 8

POSTFIX = """\
mydestination = mx.example.net
mail_spool_directory = {spool}
mailbox_command =
mailbox_size_limit = 0
local_recipient_maps =
mailbox_delivery_lock = fcntl, dotlock
deliver_lock_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 2s
"""


class World:
    """What was handed over, and what was seen: subjects."""

    def __init__(self, site, spool):
        self.site, self.spool, self.file = site, spool, f"{spool}/{USER}"
        self.end = time.monotonic() + SECONDS
        self.sent = set()      # acknowledged by whoever took it
        self.removed = set()   # expunged by us
        self.uids = {}         # uid -> subject, for ever
        self.lock = threading.Lock()
        self.errors = []
        self.rounds = {}

    def going(self):
        return time.monotonic() < self.end and not self.errors

    def took(self, subject):
        with self.lock:
            self.sent.add(subject)

    def saw(self, uid, subject):
        with self.lock:
            before = self.uids.setdefault(uid, subject)
        assert before == subject, f"UID {uid} was {before} and is {subject}"


def message(subject):
    rng = random.Random(subject)
    return f"From: a@example.net\nSubject: {subject}\n\n" + "text of it\n" * rng.randrange(1, 400)


def as_user():
    """Others' programs run as the owner, with the group that may write to the spool."""
    return {"user": pwd.getpwnam(USER).pw_uid, "group": grp.getgrnam("mail").gr_gid, "extra_groups": []}


def subjects(imap):
    found = {}
    for item in imap.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(item, tuple):
            found[int(re.search(rb"UID (\d+)", item[0])[1])] = item[1].decode().split(":", 1)[1].strip()
    return found


def append(world, imap, subject, flags):
    """A message through IMAP, and then all that are there."""
    if imap.append("INBOX", flags, None, message(subject).replace("\n", "\r\n").encode())[0] == "OK":
        world.took(subject)
    imap.noop()
    found = subjects(imap)
    for uid, what in found.items():
        world.saw(uid, what)
    return found


# --- who does what, again and again


def by_postfix(world, number, port):
    subject = f"postfix {number}"
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        smtp.sendmail("a@example.net", [f"{USER}@mx.example.net"], message(subject).replace("\n", "\r\n"))
    world.took(subject)


def by_procmail(world, number):
    subject = f"procmail {number}"
    run = subprocess.run(["procmail", "-f", "a@example.net", f"DEFAULT={world.file}", f"ORGMAIL={world.file}", "LOCKSLEEP=1", "/dev/null"],
                         input=message(subject).encode(), cwd="/", capture_output=True, **as_user())
    assert run.returncode == 0, run
    world.took(subject)


def by_lmtp(world, number):
    subject = f"lmtp {number}"
    try:
        world.site.deliver(USER, message(subject).replace("\n", "\r\n").encode())
    except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as e:
        assert "451" in str(e), e
        return
    world.took(subject)


def by_imap(world, number):
    rng = random.Random(number)
    imap = world.site.imap(USER)
    imap.sock.settimeout(120)  # NO comes after half a minute
    if imap.select("INBOX")[0] != "OK":  # locked for so long
        imap.logout()
        return
    found = append(world, imap, f"append {number}", rng.choice(["", r"(\Seen)", "(mark)"]))
    for uid in rng.sample(sorted(found), min(4, len(found))):
        imap.uid("STORE", str(uid), rng.choice(["+FLAGS", "-FLAGS"]), rng.choice([r"(\Seen)", r"(\Flagged)", "(mark)"]))
    mine = [uid for uid in found if found[uid].startswith("append")]
    if len(mine) > 3:
        uid = rng.choice(mine)
        with world.lock:
            world.removed.add(found[uid])
        imap.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
        imap.expunge()
    imap.logout()


def dovecot(world):
    from testalternate import Stdio

    class Others(Stdio):
        def ids(self):
            return as_user()

        def shutdown(self):
            """It waits for locks, for minutes, to write its flags."""
            self.writefile.close()
            self.process.wait(360)
            self.readfile.close()

    home = world.site.home(USER)
    os.makedirs(f"{home}/mail", exist_ok=True)
    # procmail takes the lock file first: with Debian's own order Dovecot and procmail wait for each other.
    return Others(world.site, f"mbox:{home}/mail:INBOX={world.file}", user=USER, settings=("mbox_write_locks=dotlock fcntl",))


def by_dovecot(world, number):
    rng = random.Random(number)
    imap = dovecot(world)
    imap.select("INBOX")
    found = append(world, imap, f"dovecot {number}", rng.choice(["", r"(\Seen)", "(other)"]))
    for uid in rng.sample(sorted(found), min(4, len(found))):
        imap.uid("STORE", str(uid), "+FLAGS", rng.choice([r"(\Answered)", "(other)"]))
    imap.logout()


def by_mutt(world, number):
    rc = f"{world.site.dir}/muttrc"
    with open(rc, "w") as f:
        f.write("set sleep_time=0\nset move=no\nset quit=yes\nset mark_old=no\nset header_cache=\n")
    pid, fd = pty.fork()
    if pid == 0:
        ids = as_user()
        os.setgroups([])
        os.setgid(ids["group"])
        os.setuid(ids["user"])
        os.environ.update(TERM="vt100", HOME="/tmp")
        # n: when it has found the lock file there five times it asks whether to remove that, which is somebody's at work.
        os.execlp("mutt", "mutt", "-n", "-F", rc, "-f", world.file, "-e", "push '<last-entry><flag-message><sync-mailbox><quit>n'")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if select.select([fd], [], [], 0.5)[0] and not os.read(fd, 65536):
                break
        except OSError:
            break
    else:
        os.kill(pid, signal.SIGHUP)
    os.close(fd)
    os.waitpid(pid, 0)


def repeat(world, act, *more):
    number = 0
    try:
        while world.going():
            act(world, number, *more)
            number += 1
            time.sleep(0.2)  # the others want the lock, too
    except Exception as e:  # noqa: BLE001
        world.errors.append((act.__name__, number, repr(e)))
    world.rounds[act.__name__] = number


# --- the end


def everything(world):
    """What is in the file, by a reader of our own: every subject once."""
    with open(world.file, "rb") as f:
        found = re.findall(rb"(?m)^Subject: ((?:postfix|procmail|lmtp|append|dovecot) \d+)$", f.read())
    return sorted(s.decode() for s in found)


def flags(imap):
    found = {}
    for item in imap.uid("FETCH", "1:*", "(UID FLAGS)")[1]:
        if item is not None:
            text = item.decode()
            words = text.split("FLAGS (")[1].split(")")[0].lower().split()
            found[int(re.search(r"UID (\d+)", text)[1])] = sorted(w for w in words if w != "\\recent")
    return found


def judge(world):
    want = sorted(world.sent - world.removed)
    got = [s for s in everything(world) if s not in world.removed]
    lost, double = set(want) - set(got), {s for s in got if got.count(s) > 1}
    assert not lost and not double, ("lost", sorted(lost), "double", sorted(double))
    # Flags that Dovecot could not write while others held the locks are in its index alone until it opens the file again.
    owing = dovecot(world)
    owing.select("INBOX")
    owing.check()
    owing.logout()
    imap = world.site.imap(USER)
    imap.select("INBOX")
    ours = (imap.response("UIDVALIDITY")[1], subjects(imap), flags(imap))
    imap.logout()
    for uid, subject in ours[1].items():
        world.saw(uid, subject)
    assert set(want) <= set(ours[1].values())
    world.site.stop()
    other = dovecot(world)
    other.select("INBOX")
    theirs = (other.response("UIDVALIDITY")[1], subjects(other), flags(other))
    other.logout()
    assert ours == theirs, ("Roost", ours, "Dovecot", theirs)
    left = [name for name in os.listdir(world.spool) if name != USER]
    assert not left, left


def main():
    need("postfix", "procmail", "mutt", "dovecot", "openssl")
    if not ROOT:
        skip("Postfix starts only as root")
    games = pwd.getpwnam(USER)
    conf = CONF.replace("uid={uid} gid={gid}", f"uid={games.pw_uid} gid={games.pw_gid}")
    with Site({USER: "secret"}, conf=conf, start=False) as site:
        spool = f"{site.dir}/spool"
        os.mkdir(spool)
        os.chown(spool, 0, grp.getgrnam("mail").gr_gid)
        os.chmod(spool, 0o2775)
        home = site.home(USER)
        os.makedirs(home, exist_ok=True)
        for path in (f"{site.dir}/mail", os.path.dirname(home), home):
            os.chown(path, games.pw_uid, games.pw_gid)
        site.write_conf(f"mail_location = mbox:~/mail:INBOX={spool}/%n\nmail_privileged_group = mail\nfirst_valid_uid = 1\n"
                        f"mail_max_userip_connections = 0\nhostname = {os.uname().nodename}\n")
        site.start()
        site.imap(USER).logout()  # makes the inbox
        port, = free_ports(1)
        q = f"{site.dir}/postfix"
        os.mkdir(q)
        with Postfix(q, port, POSTFIX.format(spool=spool)) as postfix:
            world = World(site, spool)
            # An mbox without messages has no place for its UIDVALIDITY: who has it open loses it when another gives it one.
            by_imap(world, 1000000)
            assert world.sent
            acts = [(by_postfix, port), (by_procmail,), (by_lmtp,), (by_imap,), (by_dovecot,), (by_mutt,)]
            threads = [threading.Thread(target=repeat, args=(world, *act)) for act in acts]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            assert not world.errors, world.errors
            wait_for(lambda: postfix.log().count("status=sent") >= sum(s.startswith("postfix") for s in world.sent), 120, 0.5)
        judge(world)
        print(", ".join(f"{name[3:]} {n}" for name, n in sorted(world.rounds.items())))


if __name__ == "__main__":
    main()
    print("mbox_programs: well")
