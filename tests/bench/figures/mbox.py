"""A large mbox, as an MTA left it: opened without an index, searched, flagged, expunged."""
import os
import random
import shutil
import tempfile

from bench import figure
from client import Clock, Imap
from servers import GID, ROOT, UID

MESSAGES, SIZE = 20000, 53000  # 1 GiB
FLAGGED, EXPUNGED = 1000, 5000


def make_mbox(path, count):
    rng = random.Random(1)
    words = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 11))) for _ in range(5000)]
    lines = [b" ".join(rng.choices(words, k=10)) + b"\n" for _ in range(20000)]
    with open(path, "wb") as f:
        for n in range(count):
            f.write(b"From a@example.net Fri Jan  5 12:12:12 1996\nReceived: from a by b; Fri, 5 Jan 1996 12:12:12 +0000\n"
                    b"From: A <a@example.net>\nTo: b@example.org\nSubject: number %d\nMessage-ID: <%d@example.net>\n"
                    b"Date: Fri, 5 Jan 1996 12:12:12 +0000\n\n" % (n, n))
            at = rng.randrange(len(lines) - SIZE // 40)
            body = b"".join(lines[at:at + SIZE // 40])[:SIZE - 300]
            f.write(body + b"\n\n" + (b"a needle\n\n" if n % 1000 == 7 else b""))


def put(server, source):
    """The mbox anew, no index."""
    home = server.home("user0")
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(f"{home}/mail")
    shutil.copyfile(source, f"{home}/inbox")
    if ROOT:
        for name in (home, f"{home}/mail", f"{home}/inbox"):
            os.chown(name, UID, GID)
    os.sync()


@figure("mbox")
def mbox(bench):
    count = bench.size(MESSAGES)
    flagged, expunged = bench.size(FLAGGED), bench.size(EXPUNGED)
    source = tempfile.mkdtemp() + "/mbox"
    make_mbox(source, count)
    size = f"mbox of {os.path.getsize(source) >> 20} MiB: "
    rows = [bench.row(size + what, 2, "s") for what in
            ("open, no index", "SEARCH BODY", f"flag {flagged}", "open again", f"EXPUNGE {expunged}", "all of it")]
    for server in bench.servers():
        server.locate("mbox:~/mail:INBOX=~/inbox")
        for _ in range(bench.runs):
            put(server, source)
            with server:
                measure(server, rows, flagged, expunged, count)


def measure(server, rows, flagged, expunged, count):
    with Clock(server) as every:
        imap = Imap(server.imap_port, "user0")
        with Clock(server) as clock:
            imap.command("SELECT INBOX")
        rows[0].clock(server, clock)
        with Clock(server) as clock:
            imap.command('SEARCH BODY "a needle"')
        rows[1].clock(server, clock)
        with Clock(server) as clock:
            imap.command(f"STORE {count // 2}:{count // 2 + flagged - 1} +FLAGS.SILENT (\\Flagged)")
            imap.command("CLOSE")
        rows[2].clock(server, clock)
        with Clock(server) as clock:
            imap.command("SELECT INBOX")
        rows[3].clock(server, clock)
        imap.command(f"STORE 1:{expunged} +FLAGS.SILENT (\\Deleted)")
        with Clock(server) as clock:
            imap.command("CLOSE")
        rows[4].clock(server, clock)
        imap.close()
    rows[5].clock(server, every)
