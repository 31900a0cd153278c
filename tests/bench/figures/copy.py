"""Messages that move and leave. The last figures: deleted files make new ones dear for a while (run)."""
import os
import shutil
import time

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


def grow_old(maildir):
    """Until Roost takes it that the kernel has written the messages back: of younger ones it syncs the bytes."""
    time.sleep(max(0, os.stat(f"{maildir}/cur").st_mtime + 125 - time.time()))


def measure(bench, server, imap, rows):
    imap.command("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
    for verb in rows:
        for n in range(bench.runs + 1):
            server.settle()
            clocks = both_clocks(server, imap, f"{verb} 1:{bench.size(1000)} there")
            if n > 0:
                note(rows[verb], server, clocks)


@figure("copy", last=True)
def copy(bench):
    source = bench.maildir(8 * bench.size(1000))
    rows = {verb: rows_of(bench, f"{verb} of 1,000") for verb in ("COPY", "MOVE")}
    young = {"COPY": rows_of(bench, "COPY of 1,000 that another program wrote a moment ago")}
    for server in bench.servers():
        server.fill("user0", source)
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("CREATE there")
            grow_old(source)
            imap.command("SELECT INBOX")
            measure(bench, server, imap, rows)
            server.fill("user0", bench.maildir(bench.size(1000)), "young", copy=shutil.copy2)
            imap.command("SELECT young")
            measure(bench, server, imap, young)
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
