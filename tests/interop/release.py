#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""QRESYNC clients across switches between Dovecot and Roost on one Maildir, the way back by the lines that `roostadm release -s` prints: a client
that is there, and others that were away for any time, are told by one SELECT all that happened, on whichever server, and hold what a client that
begins anew is shown. Dovecot is /usr/lib/dovecot/imap on pipes; its doveadm is called as the lines say, but for -u, which needs its master."""
import os
import random
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, need  # noqa: E402
from testpair import DOVECOT, Session  # noqa: E402

need("doveadm")
USER = "anna@example.org"
MESSAGES, CLIENTS, STAGES = 60, 6, 9
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "$Work", "$Later"]
DOVEADM = """#!/usr/bin/env python3
import os, sys
words = sys.argv[1:]
if "-u" in words:
    at = words.index("-u")
    assert words[at + 1] == {user!r}, words
    del words[at:at + 2]
os.chdir("/")
if {root}:
    os.setgroups([]); os.setgid({gid}); os.setuid({uid})
os.environ.update(HOME={home!r}, USER={user!r}, PATH="/usr/bin:/bin")  # it calls itself by name
os.execv("/usr/bin/doveadm", ["doveadm", "-c", {conf!r}, *words])
"""


def uids_in(text):
    for part in text.split(b","):
        a, _, b = part.partition(b":")
        yield from range(int(a), int(b or a) + 1)


class Client:
    """What it keeps while it is away. way: how it asks."""

    def __init__(self, way):
        self.way, self.uidvalidity, self.modseq, self.flags = way, 0, 0, {}

    def known(self):
        if not self.modseq:
            return ""
        uids = sorted(self.flags) or [1]
        return {"plain": f" (QRESYNC ({self.uidvalidity} {self.modseq}))",
                "uids": f" (QRESYNC ({self.uidvalidity} {self.modseq} 1:{uids[-1]}))",
                "numbers": f" (QRESYNC ({self.uidvalidity} {self.modseq} 1:{uids[-1]} ({len(uids)} {uids[-1]})))",
                "fetch": ""}[self.way]

    def resync(self, session):
        session.say("ENABLE QRESYNC")
        self.asked = self.known()
        lines = self.told = session.say("SELECT INBOX" + self.asked)
        text = b"\n".join(lines)
        uidvalidity, modseq = int(re.search(rb"UIDVALIDITY (\d+)", text)[1]), int(re.search(rb"HIGHESTMODSEQ (\d+)", text)[1])
        assert self.uidvalidity in (0, uidvalidity), (self.uidvalidity, uidvalidity)
        assert modseq >= self.modseq, (session.name, "HIGHESTMODSEQ went back", self.modseq, modseq)
        if not self.modseq:
            lines += session.say("UID FETCH 1:* (FLAGS)")
        elif self.way == "fetch":
            lines += session.say(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {self.modseq} VANISHED)")
        if self.way in ("uids", "numbers") and self.modseq:  # of others than those known they are not told
            lines += session.say(f"UID FETCH {max(self.flags, default=0) + 1}:* (FLAGS)")
        self.uidvalidity, self.modseq = uidvalidity, modseq
        self.take(lines)
        return self

    def take(self, lines):
        for line in lines:
            gone = re.match(rb"\* VANISHED (?:\(EARLIER\) )?([0-9:,]+)", line)
            for uid in uids_in(gone[1]) if gone else []:
                self.flags.pop(uid, None)
            uid, flags = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
            if b" FETCH " in line and uid and flags:
                self.flags[int(uid[1])] = sorted(f for f in flags[1].split() if f != b"\\Recent")


class Roost:
    name = "roost"

    def __init__(self, site):
        self.site = site

    def enter(self):
        self.site.start()

    def session(self):
        sock = socket.create_connection(("127.0.0.1", self.site.imap_port))
        stream = sock.makefile("rwb")
        session = Session("roost", stream, stream)
        session.say(f"LOGIN {USER} {self.site.users[USER]}")
        return session

    def leave(self):
        """Dovecot's index is made fit by the lines."""
        self.site.stop()
        argv = [f"{self.site.prefix}/bin/roostadm", "-c", f"{self.site.dir}/roost.conf", "release"]
        r = subprocess.run([*argv, "-u", USER], capture_output=True, timeout=60)
        assert r.returncode == 0 and b"clientswill=notice nothing" in r.stdout, r
        r = subprocess.run([*argv, "-s", "-A"], capture_output=True, timeout=60)
        assert r.returncode == 0, r
        self.lines = r.stdout
        r = subprocess.run(["sh", "-e", "-c", r.stdout], capture_output=True, timeout=60,
                           env={"PATH": f"{self.site.dir}/bin:{os.environ['PATH']}"})
        assert r.returncode == 0, r


class Dovecot:
    name = "dovecot"

    def __init__(self, site):
        top, home = f"{site.dir}/dovecot", site.home(USER)
        os.makedirs(f"{site.dir}/bin")
        os.mkdir(top)
        self.conf = f"{top}/conf"
        with open(self.conf, "w") as f:
            f.write(f"log_path = {top}/log\nbase_dir = {top}/run\nstats_writer_socket_path =\nssl = no\nfirst_valid_uid = 1\n"
                    f"mail_location = maildir:{site.maildir(USER)}\nnamespace inbox {{\n  inbox = yes\n}}\n")
        with open(f"{site.dir}/bin/doveadm", "w") as f:
            f.write(DOVEADM.format(user=USER, root=ROOT, uid=UID, gid=GID, home=home, conf=self.conf))
        os.chmod(f"{site.dir}/bin/doveadm", 0o755)
        if ROOT:
            subprocess.run(["chown", "-R", f"{UID}:{GID}", top], check=True)
        self.env = {"HOME": home, "USER": USER, "PATH": os.environ["PATH"]}
        self.procs = []

    def enter(self):
        pass

    def session(self):
        user = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        proc = subprocess.Popen([DOVECOT, "-c", self.conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env=self.env, **user)
        self.procs.append(proc)
        return Session("dovecot", proc.stdout, proc.stdin)

    def leave(self):
        for proc in self.procs:
            proc.stdin.close()
            assert proc.wait(20) == 0
        self.procs = []


def change(rng, session):
    """Something happens to the mailbox."""
    session.say("NOOP")
    uids = sorted(Client("plain").resync(session).flags)
    some = ",".join(str(u) for u in sorted(rng.sample(uids, min(len(uids), rng.randint(1, 4)))))
    what = rng.choice(["flags", "flags", "twice", "expunge", "arrive", "arrive", "pass"])
    flag = rng.choice(FLAGS)
    if what in ("arrive", "pass"):
        text = f"Subject: {rng.random()}\r\n\r\nx\r\n"
        for _ in range(rng.randint(1, 3)):
            tagged, _ = session.ask(f"APPEND INBOX ({flag}) {{{len(text)}+}}\r\n{text}")
            some = re.search(rb"APPENDUID \d+ (\d+)", tagged)[1].decode()
    if what in ("flags", "twice"):
        session.say(f"UID STORE {some} {rng.choice('+-')}FLAGS ({flag})")
    if what == "twice":  # as it was, for whoever looks late
        session.say(f"UID STORE {some} +FLAGS ($Briefly)")
        session.say(f"UID STORE {some} -FLAGS ($Briefly)")
    if what in ("expunge", "pass") and (len(uids) > 10 or what == "pass"):
        session.say(f"UID STORE {some} +FLAGS (\\Deleted)")
        session.say(f"UID EXPUNGE {some}")


def stage(rng, server, clients, everybody):
    session = server.session()
    session.say("ENABLE QRESYNC")
    # Some come before anything has happened, some in between, some at the end; the others stay away.
    for client in clients:
        client.when = 5 if everybody else rng.randint(0, 9)
    for part in range(6):
        for _ in range(rng.randint(0, 5)) if part else ():
            change(rng, session)
        for client in clients:
            if client.when != part:
                continue
            client.resync(server.session())
            fresh = Client("plain").resync(server.session())
            assert client.flags == fresh.flags, (server.name, client.way, part, client.asked, client.told, {
                u: (client.flags.get(u), fresh.flags.get(u)) for u in client.flags.keys() | fresh.flags.keys()
                if client.flags.get(u) != fresh.flags.get(u)})


def fill(site):
    folder = site.maildir(USER)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i in range(MESSAGES):
        with open(f"{folder}/cur/{1000000001 + i}.M{i}P1.x:2,S", "w") as f:
            f.write(f"Subject: number {i}\n\nbody {i}\n")
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", f"{site.dir}/mail"], check=True)


def main():
    stages = int(sys.argv[1]) if len(sys.argv) > 1 else STAGES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"release: seed {seed}", flush=True)
    rng = random.Random(seed)
    with Site(users={USER: "secret"}, extra="mail_max_userip_connections = 1000") as site:
        site.stop()
        fill(site)
        servers = [Dovecot(site), Roost(site)]
        clients = [Client(way) for way in ("plain", "plain", "uids", "uids", "numbers", "fetch")[:CLIENTS]]
        for n in range(stages):
            server = servers[n % 2]
            server.enter()
            stage(rng, server, clients, n in (0, stages - 1))
            if n + 1 < stages:
                server.leave()
        if stages % 2:
            servers[0].leave()
            site.start()
    print("release: well")


if __name__ == "__main__":
    main()
