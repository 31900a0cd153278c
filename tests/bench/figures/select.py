"""Opening a large mailbox."""
import time

from bench import figure
from client import Clock, Imap


@figure("select")
def select(bench):
    count = bench.size(100000)
    first = bench.row("first SELECT of 100,000, fresh worker", 1)
    for server in bench.servers():
        server.fill("user0", bench.maildir(count))
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            imap.command("FETCH 1:* (UID FLAGS)")
            imap.command("LOGOUT")
            time.sleep(2)
            for _ in range(bench.runs):
                server.restart()
                imap = Imap(server.imap_port, "user0")
                with Clock(server) as clock:
                    imap.command("SELECT INBOX")
                first.clock(server, clock)
                imap.command("LOGOUT")
