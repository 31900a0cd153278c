#!/usr/bin/env python3
"""A worker dies suddenly: each of its clients that is not in the middle of a literal hears one BYE and then the end of the connection, over
plain TCP, TLS and COMPRESS, in IDLE, between commands and in the middle of one; of a SIGKILL those under TLS hear, too. So it is when
the index is cut or written over beneath the worker that has it mapped: the log says which one it was, it is rebuilt at once, with the same
UIDs and flags. LMTP is told to try again. Other users' workers notice nothing.

Usage: worker_death.py [SIGNAL or DAMAGE]
"""
import contextlib
import os
import re
import signal
import socket
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import Site, wait_for  # noqa: E402

ANNA, BERT = "anna@example.org", "bert@example.org"
BYE = b"* BYE [UNAVAILABLE] Internal error occurred. Refer to server log for more information.\r\n"
PAGE = 4096
WANTED = sys.argv[1] if len(sys.argv) > 1 else ""
MESSAGES = 40


class Client:
    """Octets as they come; compressed when asked to."""

    def __init__(self, site, user, tls=False, compress=False):
        self.sock = socket.create_connection(("127.0.0.1", site.imaps_port if tls else site.imap_port), 60)
        if tls:
            self.sock = site.tls().wrap_socket(self.sock, server_hostname="localhost")
        self.tls, self.packer, self.unpacker, self.unread = tls, None, None, b""
        self.line()
        self.ask(f"LOGIN {user} secret")
        if compress:
            self.ask("COMPRESS DEFLATE")
            self.packer, self.unpacker = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def say(self, text):
        octets = text.encode()
        if self.packer:
            octets = self.packer.compress(octets) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(octets)

    def more(self):
        """False: it has ended."""
        try:
            octets = self.sock.recv(65536)
        except ConnectionResetError:
            octets = b""
        self.unread += self.unpacker.decompress(octets) if self.unpacker else octets
        return bool(octets)

    def line(self):
        while b"\n" not in self.unread:
            if not self.more():
                raise EOFError(self.unread)
        line, _, self.unread = self.unread.partition(b"\n")
        return line + b"\n"

    def ask(self, command):
        self.say(f"t {command}\r\n")
        said = []
        while not said or not said[-1].startswith(b"t "):
            said.append(self.line())
        assert said[-1].startswith(b"t OK"), (command, said)
        return said

    def rest(self):
        """All that comes until the end."""
        while self.more():
            pass
        return self.unread

    def close(self):
        self.sock.close()


def worker(site, user):
    """Process id."""
    return wait_for(lambda: next((int(re.search(r"pid (\d+)", line)[1]) for line in site.adm("status").stdout.splitlines()
                                  if "serving" in line and user in line), 0))


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# --- clients, each at another place in the dialogue ---------------------------------------------------

def resting(client):
    client.ask("SELECT INBOX")


def new(client):
    pass


def in_idle(client):
    client.ask("SELECT INBOX")
    client.say("t IDLE\r\n")
    assert client.line().startswith(b"+")


def in_command(client):
    client.say("t SEL")


def in_append(client):
    client.say("t APPEND INBOX {100}\r\n")
    assert client.line().startswith(b"+")
    client.say("Subject: ")


def behind_much(client):
    client.ask("SELECT INBOX")
    client.ask("FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])")


PLACES = [resting, new, in_idle, in_command, in_append, behind_much]
WAYS = [{}, {"tls": True}, {"compress": True}, {"tls": True, "compress": True}]


def everywhere(site):
    clients = {}
    for way in WAYS:
        for place in PLACES:
            client = clients[place.__name__, *way] = Client(site, ANNA, **way)
            place(client)
    return clients


def in_literal(site, tls):
    """It has asked for more than all buffers on the way hold, and reads only the beginning."""
    client = Client(site, ANNA, tls)
    client.ask("SELECT Large")
    client.say("t FETCH 1 BODY.PEEK[]\r\n")
    while b"{" not in client.line():
        pass
    return client


# --- a signal -------------------------------------------------------------------------------------

def by_signal(site, which):
    clients = everywhere(site)
    stuck = [in_literal(site, tls) for tls in (False, True)]
    bert = Client(site, BERT)
    in_idle(bert)
    pid, other = worker(site, ANNA), worker(site, BERT)
    assert pid != other
    os.kill(pid, which)
    for where, client in clients.items():
        last = client.rest()
        hears = which != signal.SIGKILL or (client.tls and not client.packer)
        assert last == (BYE if hears else b""), (where, last)
        client.close()
    for client in stuck:
        last = client.rest()
        assert b"BYE" not in last and last.endswith(b"x" * 99), last[-200:]
        client.close()
    site.deliver(BERT, b"Subject: for bert\r\n\r\nx\r\n")
    assert b"EXISTS" in bert.line()
    assert worker(site, BERT) == other
    bert.close()
    assert "built anew" not in site.log(), site.log()  # no index was at fault


# --- an index -------------------------------------------------------------------------------------

def write_over(path, at, octets):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(octets)


DAMAGES = {
    "empty": lambda path: os.truncate(path, 0),
    "half": lambda path: os.truncate(path, os.path.getsize(path) // 2 // PAGE * PAGE),
    "foreign": lambda path: write_over(path, 0, os.urandom(os.path.getsize(path))),
    "zeros": lambda path: write_over(path, 2 * PAGE, bytes(os.path.getsize(path) - 2 * PAGE)),
}


def state(site, user):
    client = Client(site, user)
    found = client.ask("SELECT INBOX")
    validity = re.search(rb"UIDVALIDITY (\d+)", b"".join(found))[1]
    fetched = client.ask("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")[:-1]
    client.close()
    flags = rb"(\\Recent ?|\* \d+ FETCH)"
    return validity, sorted(re.sub(flags, b"", line) for line in fetched if b"FETCH" in line)


def by_damage(site, harm, want):
    """Whether the worker died of it. It may as well be told that what it reads is wrong, or have the file closed just now."""
    clients = everywhere(site)
    bert = Client(site, BERT)
    bert.ask("SELECT INBOX")
    pid, other = worker(site, ANNA), worker(site, BERT)
    asker = clients["resting", ]
    asker.ask("NOOP")
    seen = len(site.log())
    harm(f"{site.maildir(ANNA)}/roost.index/data.mdb")
    heard = []
    with contextlib.suppress(EOFError):
        asker.say("t SELECT INBOX\r\nt UID FETCH 1:* (FLAGS ENVELOPE)\r\nt STATUS INBOX (UIDNEXT MESSAGES)\r\nt LOGOUT\r\n")
        while True:
            heard.append(asker.line())
    died = heard[-1] == BYE
    assert died or heard[-1].startswith(b"t OK Logout"), heard[-3:]
    assert sum(line.startswith(b"* BYE") for line in heard) == 1, heard
    for where, client in clients.items():
        if died and client is not asker:
            last = client.rest()
            assert last == BYE, (where, last)
        elif client is not asker and where[0] in ("resting", "new", "behind_much"):
            client.ask("NOOP")
        client.close()
    assert not died or wait_for(lambda: gone(pid))
    assert state(site, ANNA) == want
    wait_for(lambda: re.search(f"index {site.maildir(ANNA)}/roost.index: it [^;]*; it is built anew", site.log()[seen:]))
    assert worker(site, BERT) == other
    bert.ask("NOOP")
    bert.close()
    return died


# --- a delivery ------------------------------------------------------------------------------------

def by_delivery(site):
    """The recipient's worker dies between RCPT and DATA: he is told to try again, the other gets his mail, the session goes on."""
    with socket.create_connection(("127.0.0.1", site.lmtp_port), 60) as sock, sock.makefile("rwb", 0) as lmtp:
        def say(text, answers=1):
            lmtp.write(text.encode() + b"\r\n")
            return [lmtp.readline() for _ in range(answers)]
        assert lmtp.readline().startswith(b"220")
        lmtp.write(b"LHLO x\r\n")
        while not lmtp.readline().startswith(b"250 "):
            pass
        for user, kill in ((ANNA, True), (ANNA, False)):
            say("MAIL FROM:<>")
            assert all(say(f"RCPT TO:<{u}>")[0].startswith(b"250") for u in (user, BERT))
            if kill:
                pid = worker(site, ANNA)
                os.kill(pid, signal.SIGBUS)
                wait_for(lambda: gone(pid))
            assert say("DATA")[0].startswith(b"354")
            anna, bert = say("Subject: lmtp\r\n\r\nx\r\n.", 2)
            assert anna.startswith(b"451" if kill else b"250") and bert.startswith(b"250"), (anna, bert)


# --- all -------------------------------------------------------------------------------------------

with Site({ANNA: "secret", BERT: "secret"}, extra="mail_max_userip_connections = 100\n") as site:
    imap = site.imap(ANNA)
    for n in range(MESSAGES):
        flags = r"(\Seen $Junk)" if n % 3 else r"(\Flagged)"
        assert imap.append("INBOX", flags, None, f"Subject: {n}\r\n\r\n{'x' * 70 * n}\r\n".encode())[0] == "OK"
    imap.create("Large")
    imap.append("Large", None, None, b"Subject: large\r\n\r\n" + b"x" * (24 << 20))
    imap.select("INBOX")
    imap.store("2,4", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.logout()
    for which in (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL):
        if which.name.startswith(WANTED):
            by_signal(site, which)
    want = state(site, ANNA)
    for name, harm in DAMAGES.items():
        if name.startswith(WANTED):
            # Zeros are found out by reading them.
            assert any(by_damage(site, harm, want) or name == "zeros" for _ in range(10)), f"{name}: no worker died of it"
    if "lmtp".startswith(WANTED):
        by_delivery(site)
    site.stop_after_deaths()
