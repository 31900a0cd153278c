"""Opening a large mailbox: for the first time, and again as a phone does."""
import re

from bench import figure
from client import Clock, Imap

CHANGES = 50


def first_select(bench, server, row):
    for _ in range(bench.runs):
        server.restart()
        imap = Imap(server.imap_port, "user0")
        with Clock(server) as clock:
            imap.command("SELECT INBOX")
        row.clock(server, clock)
        imap.command("LOGOUT")


def change(server, count, n):
    """Fifty scattered messages get another flag; returns UIDVALIDITY and the modseq before."""
    imap = Imap(server.imap_port, "user0")
    text = b" ".join(imap.ask("SELECT INBOX (CONDSTORE)")).decode()
    known = [int(re.search(rf"{word} (\d+)", text).group(1)) for word in ("UIDVALIDITY", "HIGHESTMODSEQ")]
    which = ",".join(str(1 + (n + i * count // CHANGES) % count) for i in range(CHANGES))
    imap.command(f"STORE {which} +FLAGS.SILENT ($Label{n})")
    imap.command("LOGOUT")
    return known


def qresync(bench, server, count, row):
    for n in range(bench.runs + 1):
        validity, modseq = change(server, count, n)
        server.settle()
        imap = Imap(server.imap_port, "user0")
        imap.command("ENABLE QRESYNC")
        with Clock(server) as clock:
            answer = imap.ask(f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
        assert sum(b"FETCH (" in line for line in answer) == CHANGES, answer
        if n > 0:
            row.clock(server, clock)
        imap.command("LOGOUT")


@figure("select")
def select(bench):
    count = bench.size(100000)
    first = bench.row("first SELECT of 100,000, fresh worker", 1)
    again = bench.row("SELECT (QRESYNC), 50 changes over 100,000", 2)
    for server in bench.servers():
        server.fill("user0", bench.maildir(count))
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            imap.command("FETCH 1:* (UID FLAGS)")
            imap.command("LOGOUT")
            server.settle()
            first_select(bench, server, first)
            qresync(bench, server, count, again)
