#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Messages that mean harm (tests/lib/hostilemail.py), through the whole server: read in, described, cut, searched, sorted.

No clock is asked: what counts is the processor time of the worker, with so wide a margin that only work which grows faster
than the message can break it (a quadratic walk over these sizes takes minutes), and its memory.

Usage: hostile_mail.py [-v] [ATTACK...]
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from hostilemail import ATTACKS  # noqa: E402
from testsite import GID, ROOT, SANITIZED, UID, Site  # noqa: E402

USER = "anna@example.org"
SIZE = (256 << 10) if SANITIZED else (4 << 20)
MANY = 500 if SANITIZED else 5000
CPU_MAX = 10.0   # seconds for all that is done with one message; honest ones of that size need 0.2
MEMORY_MAX = 96  # MiB of the worker, the mapped message included
SHOW = "-v" in sys.argv
COMMANDS = (
    "FETCH 1 (RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE PREVIEW)",
    "FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject To References)] BODY.PEEK[HEADER] BODY.PEEK[1.1.1.MIME] BINARY.SIZE[1])",
    "FETCH 1 (BODY.PEEK[]<0.1000> BODY.PEEK[1]<0.1000> BODY.PEEK[TEXT]<100000.10>)",
    'SEARCH OR TEXT "aaaaaaaaaaaaaaaaac" SUBJECT "zzz"',
    'SEARCH OR OR FROM "nobody" TO "nobody" OR HEADER References "nobody" SENTSINCE 1-Jan-2020',
    "SORT (SUBJECT FROM TO CC DATE SIZE) UTF-8 ALL",
    "SORT (DISPLAYFROM DISPLAYTO) UTF-8 ALL",
    "THREAD REFERENCES UTF-8 ALL",
    "THREAD ORDEREDSUBJECT UTF-8 ALL",
    "COPY 1 Copies",
)


def put(site, folder, message):
    path = site.maildir(USER) + "/." + folder
    for sub in ("", "/tmp", "/new", "/cur"):
        os.makedirs(path + sub, exist_ok=True)
    with open(f"{path}/cur/1.M1P1.x:2,", "wb") as f:
        message(f)
    if ROOT:
        for at, folders, files in os.walk(path):
            for name in [at] + [f"{at}/{n}" for n in files]:
                os.chown(name, UID, GID)


def cpu(site):
    total = 0
    for pid in site.kids("roost-worker"):
        with open(f"/proc/{pid}/stat") as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def memory(site):
    """The most that a worker has had at a time."""
    most = 0
    for pid in site.kids("roost-worker"):
        with open(f"/proc/{pid}/status") as f:
            most = max(most, next(int(line.split()[1]) for line in f if line.startswith("VmHWM")))
    return most >> 10


class Client:
    def __init__(self, site):
        self.imap = site.imap(USER)
        self.file = self.imap.file
        self.sock = self.imap.sock
        self.sock.settimeout(300)

    def ask(self, command):
        """The tagged answer; what comes before it is counted and thrown away."""
        self.untagged = 0
        self.sock.sendall(b"tag " + command.encode() + b"\r\n")
        while True:
            line = self.file.readline()
            assert line, f"the connection ended in {command}"
            while line.endswith(b"}\r\n") and line.rpartition(b"{")[2][:-3].isdigit():
                left = int(line.rpartition(b"{")[2][:-3])
                while left:
                    left -= len(self.file.read(min(left, 1 << 20)))
                line = self.file.readline()
            if line.startswith(b"tag "):
                return line[4:].decode().strip()
            self.untagged += 1


def test_attack(site, client, name):
    put(site, name, lambda f: f.write(ATTACKS[name](SIZE)))
    before = cpu(site)
    answer = client.ask(f"SELECT {name}")
    assert answer.startswith("OK"), (name, answer)
    for command in COMMANDS:
        start = cpu(site)
        answer = client.ask(command)
        assert answer.startswith("OK"), (name, command, answer)
        if SHOW and cpu(site) - start > 0.1:
            print(f"    {cpu(site) - start:5.2f} s  {command}")
    used, most = cpu(site) - before, memory(site)
    if SHOW:
        print(f"{used:5.2f} s {most:4d} MiB  {name}", flush=True)
    assert used < CPU_MAX, (name, used)
    assert SANITIZED or most < MEMORY_MAX, (name, most)


def test_unreadable(site, client):
    """2 GiB and a byte, and a file that nobody may open: they are refused, each other message is served."""
    def write(f):
        f.write(b"Subject: big\n\n")
        f.truncate((2 << 30) + 1)
    put(site, "odd", write)
    cur = site.maildir(USER) + "/.odd/cur"
    for n, mode in ((2, 0o600), (3, 0o000), (4, 0o600)):
        with open(f"{cur}/{n}.M1P1.x:2,", "w") as f:
            f.write(f"Subject: {n}\n\nsmall\n")
        os.chown(f.name, UID, GID)
        os.chmod(f.name, mode)
    assert client.ask("SELECT odd").startswith("OK")
    for command, counts in (("FETCH 1:4 (RFC822.SIZE ENVELOPE)", 2), ("FETCH 1:4 (BODY.PEEK[HEADER])", 3)):
        answer = client.ask(command)
        assert answer.startswith("NO [") and client.untagged == counts, (command, answer, client.untagged)
    for command in ("SEARCH SUBJECT 4", "SEARCH LARGER 10", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"):
        answer = client.ask(command)
        assert answer.startswith("OK"), (command, answer)
    assert SANITIZED or memory(site) < MEMORY_MAX


def test_threads(site, client):
    """Chains in the wrong order, rings, equal sort keys: what SORT and THREAD do with many messages."""
    shapes = {
        "chain": lambda i: f"Message-ID: <{i}@x>\nReferences: <{i - 1}@x>\nSubject: a",
        "chain_back": lambda i: f"Message-ID: <{i}@x>\nReferences: <{i + 1}@x>\nSubject: {i}",
        "ring": lambda i: f"Message-ID: <{i}@x>\nReferences: <{(i + 1) % MANY}@x> <{(i + 2) % MANY}@x>\nSubject: a",
        "same_id": lambda i: "Message-ID: <1@x>\nReferences: <1@x> <2@x>\nSubject: Re: a",
        "star": lambda i: f"Message-ID: <{i}@x>\nIn-Reply-To: <0@x>\nDate: nonsense\nSubject: Re: Fwd: [x] {i}",
    }
    for name, head in shapes.items():
        put(site, name, lambda f: f.write(head(0).encode()))
        for i in range(1, MANY):
            with open(f"{site.maildir(USER)}/.{name}/cur/{i + 1}.M1P1.x:2,", "w") as f:
                f.write(head(i) + "\n\nx\n")
            os.chown(f.name, UID, GID)
        before = cpu(site)
        assert client.ask(f"SELECT {name}").startswith("OK")
        for command in ("SORT (SUBJECT REVERSE DATE ARRIVAL)", "THREAD REFERENCES", "THREAD REFS", "THREAD ORDEREDSUBJECT"):
            start = cpu(site)
            answer = client.ask(f"{command} UTF-8 ALL")
            assert answer.startswith("OK"), (name, command, answer)
            if SHOW:
                print(f"    {cpu(site) - start:5.2f} s  {command}")
        if SHOW:
            print(f"{cpu(site) - before:5.2f} s {memory(site):4d} MiB  {name}", flush=True)
        assert cpu(site) - before < CPU_MAX, name


with Site({USER: "secret"}) as site:
    wanted = [w for w in sys.argv[1:] if w != "-v"]
    os.makedirs(site.home(USER), exist_ok=True)
    if ROOT:
        os.chown(os.path.dirname(site.home(USER)), UID, GID)
        os.chown(site.home(USER), UID, GID)
    client = Client(site)
    assert client.ask("CREATE Copies").startswith("OK")
    for name in ATTACKS:
        if not wanted or name in wanted:
            test_attack(site, client, name)
    if not wanted:
        test_threads(site, client)
        test_unreadable(site, client)
    assert site.imap(USER).noop()[0] == "OK"
print("hostile_mail: well")
