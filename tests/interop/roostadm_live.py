#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm beside clients: reindex while twenty are connected and mail arrives, killed in the middle, its worker killed, run again; and a
QRESYNC client, up to date when the server stops, that misses nothing from Roost to Dovecot (by `release`) and back."""
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site, need, wait_for  # noqa: E402
from testpair import DOVECOT, Session  # noqa: E402

need("doveadm")
USER = "anna@example.org"
MESSAGES, CLIENTS = (600 if SANITIZED else 3000), 20


def fill(site):
    folder = site.maildir(USER)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i in range(MESSAGES):
        with open(f"{folder}/cur/{1000000001 + i}.M{i}P1.x:2,S", "w") as f:
            f.write(f"From: a{i}@x.org\nDate: Mon, 2 Jan 2023 10:00:00 +0100\nMessage-ID: <{i}@x>\nSubject: number {i}\n\nbody {i}\n")
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", f"{site.dir}/mail"], check=True)


def adm(site, *words):
    return [f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", words[0], "-u", USER, *words[1:]]


def state(imap):
    """{UID: flags without \\Recent}"""
    typ, lines = imap.uid("FETCH", "1:*", "(FLAGS)")
    assert typ == "OK", lines
    found = {}
    for line in lines:
        m = re.search(rb"UID (\d+)", line)
        if not m:
            continue  # not asked for
        flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()
        found[int(m[1])] = sorted(f for f in flags if f != b"\\Recent")
    return found


def reindex_among_clients(site):
    clients = []
    for _ in range(CLIENTS):
        imap = site.imap(USER)
        imap.select("INBOX")
        clients.append(imap)
    before = state(clients[0])
    assert len(before) == MESSAGES
    delivered = []

    def deliver():
        for i in range(10):
            site.deliver(USER, f"Subject: during {i}\r\n\r\nx\r\n".encode())
            delivered.append(i)
    thread = threading.Thread(target=deliver)
    proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    thread.start()
    for imap in clients:
        assert imap.noop()[0] == "OK"
    out, err = proc.communicate(timeout=120)
    thread.join()
    assert proc.returncode == 0, (out, err)
    wanted = MESSAGES + len(delivered)
    for imap in clients:
        wait_for(lambda imap=imap: imap.noop()[0] == "OK" and len(state(imap)) == wanted, 30)
        after = state(imap)
        assert {uid: after[uid] for uid in before} == before
        imap.logout()


def interrupted(site):
    """SIGINT and SIGKILL to roostadm, SIGKILL to the worker: the same command again is well."""
    for sig in (signal.SIGINT, signal.SIGKILL):
        proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            proc.wait(0.15)
        except subprocess.TimeoutExpired:
            proc.send_signal(sig)
        proc.communicate(timeout=60)
        assert proc.returncode in (0, 130, -sig), proc.returncode
    proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        proc.wait(0.15)
    except subprocess.TimeoutExpired:
        line = next(x for x in site.adm("status").stdout.splitlines() if "serving" in x and USER in x)
        os.kill(int(re.search(r"pid (\d+)", line)[1]), signal.SIGKILL)
    out, err = proc.communicate(timeout=60)
    assert proc.returncode in (0, 75), (proc.returncode, out, err)
    for words in (["reindex"], ["verify"]):
        r = subprocess.run(adm(site, *words), capture_output=True, timeout=120)
        assert r.returncode == 0, (words, r)
    with site.imap(USER) as imap:
        imap.select("INBOX")
        assert len(state(imap)) == MESSAGES + 10


class Offline:
    """What a QRESYNC client keeps, and brings up to date."""

    def __init__(self):
        self.uidvalidity, self.modseq, self.flags = 0, 0, {}

    def resync(self, session):
        session.say("ENABLE QRESYNC")
        known = f" (QRESYNC ({self.uidvalidity} {self.modseq}))" if self.modseq else ""
        lines = session.say("SELECT INBOX" + known)
        text = b"\n".join(lines)
        uidvalidity = int(re.search(rb"UIDVALIDITY (\d+)", text)[1])
        assert self.uidvalidity in (0, uidvalidity), (self.uidvalidity, uidvalidity)
        if not self.modseq:
            lines = session.say("UID FETCH 1:* (FLAGS)")
        last = max(self.flags, default=0)
        self.take(lines)
        self.take(session.say(f"UID FETCH {last + 1}:* (FLAGS)"))
        self.uidvalidity, self.modseq = uidvalidity, int(re.search(rb"HIGHESTMODSEQ (\d+)", text)[1])

    def same(self, other):
        assert self.uidvalidity == other.uidvalidity, (self.uidvalidity, other.uidvalidity)
        odd = {uid: (self.flags.get(uid), other.flags.get(uid)) for uid in self.flags.keys() | other.flags.keys()
               if self.flags.get(uid) != other.flags.get(uid)}
        assert not odd, odd

    def take(self, lines):
        for line in lines:
            m = re.match(rb"\* VANISHED (?:\(EARLIER\) )?([0-9:,]+)", line)
            for part in m[1].split(b",") if m else []:
                a, _, b = part.partition(b":")
                for uid in [u for u in self.flags if int(a) <= u <= int(b or a)]:
                    del self.flags[uid]
            uid, flags = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
            if b" FETCH " in line and uid and flags:
                self.flags[int(uid[1])] = sorted(f for f in flags[1].split() if f != b"\\Recent")


def ours(site):
    """A session of its own: imaplib would read along."""
    sock = socket.create_connection(("127.0.0.1", site.imap_port))
    stream = sock.makefile("rwb")
    session = Session("roost", stream, stream)
    session.say(f"LOGIN {USER} {site.users[USER]}")
    return session


class Dovecot:
    def __init__(self, site):
        self.dir = f"{site.dir}/dovecot"
        os.mkdir(self.dir)
        self.home = site.home(USER)
        self.user = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"log_path = {self.dir}/log\nbase_dir = {self.dir}/run\nstats_writer_socket_path =\nssl = no\nfirst_valid_uid = 1\n"
                    f"mail_location = maildir:{site.maildir(USER)}\nnamespace inbox {{\n  inbox = yes\n}}\n")
        if ROOT:
            subprocess.run(["chown", "-R", f"{UID}:{GID}", self.dir], check=True)
        self.env = {"HOME": self.home, "USER": USER, "PATH": os.environ["PATH"]}

    def doveadm(self, *words):
        r = subprocess.run(["doveadm", "-c", f"{self.dir}/conf", *words], capture_output=True, timeout=60, cwd="/", env=self.env, **self.user)
        assert r.returncode == 0, (words, r)

    def imap(self):
        self.proc = subprocess.Popen([DOVECOT, "-c", f"{self.dir}/conf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", env=self.env,
                                     **self.user)
        return Session("dovecot", self.proc.stdout, self.proc.stdin)


def truth(session):
    """What a client that begins anew sees."""
    fresh = Offline()
    fresh.resync(session)
    return fresh


def switches(site):
    client, dovecot = Offline(), Dovecot(site)
    client.resync(ours(site))
    for round_no in range(2):
        for words in (["flags", "add", "\\Flagged", "mailbox", "INBOX", "uid", f"{100 + round_no}:{120 + round_no}"],
                      ["expunge", "mailbox", "INBOX", "uid", f"{10 + 20 * round_no}:{19 + 20 * round_no}"]):
            r = subprocess.run(adm(site, *words) if words[0] != "flags" else
                               [f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", "flags", words[1], "-u", USER, *words[2:]],
                               capture_output=True, timeout=60)
            assert r.returncode == 0, r
        client.resync(ours(site))
        site.stop()
        r = subprocess.run([f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", "-f", "json", "release", "-u", USER, "INBOX"],
                           capture_output=True, timeout=60)
        assert r.returncode == 0, r
        dovecot.doveadm(*[w for i, w in enumerate(shlex.split(json.loads(r.stdout)[0]["command"])[1:]) if i not in (2, 3)])
        dovecot.doveadm("flags", "add", "\\Answered", "mailbox", "INBOX", "uid", f"{200 + round_no}:{210 + round_no}")
        dovecot.doveadm("expunge", "mailbox", "INBOX", "uid", f"{300 + 20 * round_no}:{309 + 20 * round_no}")
        client.resync(dovecot.imap())
        fresh = truth(dovecot.imap())
        client.same(fresh)
        dovecot.doveadm("flags", "remove", "\\Seen", "mailbox", "INBOX", "uid", "400:410")
        site.start()
        client.resync(ours(site))
        fresh = truth(ours(site))
        client.same(fresh)


def main():
    with Site(users={USER: "secret"}, extra="mail_max_userip_connections = 100") as site:
        site.stop()
        fill(site)
        site.start()
        reindex_among_clients(site)
        interrupted(site)
        switches(site)
        # what was killed on purpose is in the log
        with open(f"{site.dir}/log") as f:
            text = f.read()
        with open(f"{site.dir}/log", "w") as f:
            f.write(re.sub(r"killed with signal 9", "killed by the test", text))
    print("roostadm_live: well")


if __name__ == "__main__":
    main()
