"""Ten thousand people of one uid who are all logged in over TLS and listen (ROOST only: the peer needs gigabytes for it)."""
import os
import random
import resource
import time

from bench import figure
from client import Imap, Lmtp, client_context, in_threads
from servers import GID, ROOT, UID, Roost

MESSAGES, THREADS, HEARING = 100, 4, 200
EXTRA = """\
login_processes = 4
worker_mode = pooled
default_client_limit = 20000
"""


def make_homes(server, source):
    """Every INBOX is a directory of its own; the messages are links, since only their number matters."""
    names = os.listdir(f"{source}/cur")
    for name in names:
        if ROOT:
            os.chown(f"{source}/cur/{name}", UID, GID)
    for user in server.users:
        box = server.maildir(user)
        for sub in ("", "/cur", "/new", "/tmp"):
            os.makedirs(box + sub)
        for name in names:
            os.link(f"{source}/cur/{name}", f"{box}/cur/{name}")
        for path in (server.home(user), box, f"{box}/cur", f"{box}/new", f"{box}/tmp"):
            os.chown(path, UID, GID)
    os.chown(os.path.dirname(server.home(server.users[0])), UID, GID)


def connect_all(server):
    """A connection a user, in IDLE on INBOX."""
    context = client_context()
    idle = [None] * len(server.users)

    def some(first):
        for n in range(first, len(idle), THREADS):
            imap = Imap(server.imaps_port, server.users[n], tls=context)
            imap.command("SELECT INBOX")
            imap.sock.sendall(b"i IDLE\r\n")
            idle[n] = imap
    in_threads(some, THREADS)
    return idle


def hear(server, idle):
    """Milliseconds from the 250 of a delivery to the EXISTS of its owner, for some of all; the worst of a hundred."""
    lmtp, late = Lmtp(server.lmtp_port), []
    for n in random.Random(7).sample(range(len(idle)), min(HEARING, len(idle))):
        lmtp.send(server.users[n], b"Subject: next\r\n\r\nx")
        sent = time.perf_counter()
        while b"EXISTS" not in idle[n].line():
            pass
        late.append((time.perf_counter() - sent) * 1e3)
    lmtp.close()
    return sorted(late)[len(late) * 99 // 100]


@figure("connections")
def connections(bench):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = bench.size(10000)
    memory = bench.row(f"{count:,} TLS connections of as many users, all processes", "400 MiB", "MiB")
    login = bench.row("the same: a login and SELECT with an index to make", "", "ms")
    heard = bench.row("the same: 250 to EXISTS in IDLE, 99 of 100", "5 ms", "ms")
    server = Roost(count, EXTRA)
    make_homes(server, bench.maildir(MESSAGES))
    with server:
        start, cpu = time.perf_counter(), server.cpu()
        idle = connect_all(server)
        login.add("wall", server, (time.perf_counter() - start) * 1e3 / count)
        login.add("cpu", server, (server.cpu() - cpu) * 1e3 / count)
        time.sleep(5)
        server.settle(3)
        memory.add("PSS", server, server.pss() / 1024)
        heard.add("wall", server, hear(server, idle))
        server.settle(3)
        memory.add("PSS", server, server.pss() / 1024)
        for imap in idle:
            imap.close()
