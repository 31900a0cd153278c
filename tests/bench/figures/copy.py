"""Messages that move and leave. The last figures: deleted files make new ones dear for a while (run)."""
import shutil

from bench import figure
from client import Clock, Imap


def both_clocks(server, imap, command):
    """To the OK, and until the server rests."""
    with Clock(server) as whole:
        with Clock(server) as clock:
            imap.command(command)
        server.settle()
    return clock, whole


def rows_of(bench, name):
    return bench.row(f"{name}, to the OK", 1.2), bench.row(f"{name}, with what is owed then", "1 CPU")


def note(rows, server, clocks):
    rows[0].clock(server, clocks[0])
    rows[1].add("cpu", server, clocks[1].cpu * 1e3)


@figure("copy", last=True)
def copy(bench):
    count = bench.size(1000)
    rows = {verb: rows_of(bench, f"{verb} of 1,000") for verb in ("COPY", "MOVE")}
    for server in bench.servers():
        server.fill("user0", bench.maildir(8 * count))
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("CREATE there")
            imap.command("SELECT INBOX")
            imap.command("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
            for verb in rows:
                for n in range(bench.runs + 1):
                    server.settle()
                    clocks = both_clocks(server, imap, f"{verb} 1:{count} there")
                    if n > 0:
                        note(rows[verb], server, clocks)
            imap.close()


@figure("expunge", last=True)
def expunge(bench):
    """The files have no other names, so that their inodes go, too."""
    count = bench.size(5000)
    rows = rows_of(bench, "EXPUNGE of 5,000")
    for server in bench.servers():
        server.fill("user0", bench.maildir((bench.runs + 2) * count), copy=shutil.copy2)
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            imap.command("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
            for n in range(bench.runs + 1):
                imap.command(f"STORE 1:{count} +FLAGS.SILENT (\\Deleted)")
                server.settle()
                clocks = both_clocks(server, imap, "EXPUNGE")
                if n > 0:
                    note(rows, server, clocks)
            imap.close()
