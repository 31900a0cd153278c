"""FETCH of what lists of messages show."""
import time

from bench import figure
from client import Clock, Imap

METADATA = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"


@figure("fetch")
def fetch(bench):
    """The same mailbox for all rows: first without an index, then warm."""
    count = bench.size(100000)
    cold = bench.row("metadata FETCH of 100,000, index deleted before", 3)
    warm = bench.row("metadata FETCH of 100,000, warm", 10)
    flags = bench.row("FETCH 1:* (UID FLAGS) of 100,000", 2)
    for server in bench.servers():
        server.fill("user0", bench.maildir(count))
        with server:
            for n in range(bench.runs + 1):
                server.forget_index("user0")
                imap = Imap(server.imap_port, "user0")
                with Clock(server) as clock:
                    imap.command("SELECT INBOX")
                    imap.command(METADATA)
                if n > 0:
                    cold.clock(server, clock)
                imap.command("LOGOUT")
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            for row, command in ((warm, METADATA), (flags, "FETCH 1:* (UID FLAGS)")):
                imap.command(command)
                for _ in range(bench.runs):
                    with Clock(server) as clock:
                        imap.command(command)
                    row.clock(server, clock)
            imap.close()
            time.sleep(1)
