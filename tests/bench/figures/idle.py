"""From the 250 of a delivery to what a waiting session hears of it: IDLE, and NOTIFY about a mailbox that is not selected."""
import multiprocessing
import os
import select
import time

from bench import figure
from client import Imap, Lmtp, median
from figures.mixed import commands

LOAD_CLIENTS, LOAD_USERS = 8, 4


def once(imap, lmtp, word):
    """Milliseconds from the 250 to the line with the word; 0.001 when that was first."""
    lmtp.sock.sendall(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<user0>\r\nDATA\r\n")
    for _ in range(3):
        lmtp.reply()
    lmtp.sock.sendall(b"Subject: next\r\n\r\nx\r\n.\r\n")
    stored = heard = None
    poll = select.poll()
    poll.register(lmtp.sock, select.POLLIN)
    poll.register(imap.sock, select.POLLIN)
    while stored is None or heard is None:
        for fd, _ in poll.poll():
            now = time.perf_counter()
            if fd == lmtp.sock.fileno() and stored is None:
                assert lmtp.reply().startswith(b"250")
                stored = now
            elif fd == imap.sock.fileno():
                imap.rest += imap.sock.recv(65536)
                if word in imap.rest and heard is None:
                    heard = now
    imap.rest = b""
    return max(0.001, (heard - stored) * 1e3)


def waiting(server, how):
    imap = Imap(server.imap_port, "user0")
    if how == "idle":
        imap.command("SELECT INBOX")
        imap.sock.sendall(b"i IDLE\r\n")
        while not imap.line().startswith(b"+"):
            pass
        return imap, b"EXISTS"
    imap.command("SELECT other")
    imap.command("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))")
    return imap, b"STATUS"


def load(server, stop):
    """Other users' clients, in processes of their own."""
    def one(n):
        os.nice(5)
        imap = Imap(server.imap_port, server.users[1 + n % LOAD_USERS])
        imap.command("SELECT INBOX")
        seed = n
        while not stop.is_set():
            seed += LOAD_CLIENTS
            for text, data in commands(seed, 50):
                if stop.is_set():
                    break
                text += " {%d+}\r\n" % len(data) if data else ""
                imap.finish(imap.start([text.encode() + data]))  # NO too: messages go under their hands
                time.sleep(0.01)
    running = [multiprocessing.Process(target=one, args=(n,)) for n in range(LOAD_CLIENTS)]
    for p in running:
        p.start()
    return running


def measure(server, row, high, how, count):
    imap, word = waiting(server, how)
    lmtp = Lmtp(server.lmtp_port)
    for _ in range(3):
        once(imap, lmtp, word)
    times = []
    for _ in range(count):
        times.append(once(imap, lmtp, word))
        time.sleep(0.005)
    row.add("median", server, median(times))
    high.add("99 of 100", server, sorted(times)[len(times) * 99 // 100])
    imap.close()
    lmtp.close()


@figure("idle")
def idle(bench):
    names = ("IDLE", "NOTIFY, a mailbox not selected", "IDLE, eight other clients at work")
    rows = [(bench.row(f"LMTP 250 to {name}", "1 ms"), bench.row("the same, 99 of 100", "5 ms")) for name in names]
    box = bench.maildir(300)
    for server in bench.servers(1 + LOAD_USERS):
        for user in server.users[1:]:
            for name in (None, "work", "lists"):
                server.fill(user, box, name)
        with server:
            Lmtp(server.lmtp_port).send("user0", b"Subject: first\r\n\r\nx")
            Imap(server.imap_port, "user0").command("CREATE other")
            count = bench.size(1000 if server.name == "roost" else 20)
            for how, (row, high) in zip(("idle", "notify"), rows):
                measure(server, row, high, how, count)
            stop = multiprocessing.Event()
            running = load(server, stop)
            time.sleep(1)
            measure(server, *rows[2], "idle", count)
            stop.set()
            for p in running:
                p.join()
