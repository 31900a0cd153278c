"""An index made anew from a large Maildir by the administrator's tool; a folder opened in which little is new."""
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time

from bench import figure
from client import Clock, Imap
from servers import GID, ROOT, UID, processes

CACHED = "mail_always_cache_fields = imap.envelope imap.bodystructure imap.body date.received size.virtual pop3.uidl\n"
NEW = (0, 10, 100)


def tool(server, *words):
    name = f"{server.site.prefix}/bin/roostadm" if server.name == "roost" else "doveadm"
    done = subprocess.run([name, "-c", f"{server.dir}/{server.name}.conf", *words], capture_output=True, text=True)
    assert done.returncode == 0, done


def timed(server, row, count, *commands):
    """The processes of the server and of the tool."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Clock(server) as clock:
        for command in commands:
            tool(server, command, "-u", "user0", "INBOX")
    more = resource.getrusage(resource.RUSAGE_CHILDREN)
    clock.cpu += more.ru_utime + more.ru_stime - used.ru_utime - used.ru_stime
    row.clock(server, clock, count)


@figure("reindex")
def reindex(bench):
    count = bench.size(100000)
    folder = bench.row(f"reindex of {count:,} (force-resync), a message", "200 us", "us")
    caches = bench.row("the same and index: the caches, too", "200 us", "us")
    for server in bench.servers():
        server.fill("user0", bench.maildir(count))
        if server.name == "dovecot":
            with open(f"{server.dir}/dovecot.conf", "a") as f:
                f.write(CACHED)
        with server:
            Imap(server.imap_port, "user0").command("SELECT INBOX")
            again = "reindex" if server.name == "roost" else "force-resync"
            for _ in range(bench.runs):
                server.forget_index("user0")
                timed(server, folder, count, again)
                server.forget_index("user0")
                timed(server, caches, count, again, "index")


# --- opening --------------------------------------------------------------------------------------------------


def arrive(server, n, turn):
    """Another program delivers n messages."""
    top = server.maildir("user0")
    for i in range(n):
        name = f"{2000000000 + turn}.M{i}P1.other"
        with open(f"{top}/tmp/{name}", "w") as f:
            f.write("From: a@example.org\nSubject: new\n\nbody\n")
        if ROOT:
            os.chown(f"{top}/tmp/{name}", UID, GID)
        os.rename(f"{top}/tmp/{name}", f"{top}/new/{name}")


def calls(server, imap):
    """System calls of the server for a SELECT."""
    pids = ",".join(str(p) for p in processes(server.pid))
    with tempfile.NamedTemporaryFile("r") as out:
        trace = subprocess.Popen(["strace", "-f", "-qq", "-o", out.name, "-p", pids], stderr=subprocess.DEVNULL)
        time.sleep(1)
        before = len(re.findall(r"\w\(", out.read()))
        imap.command("SELECT INBOX")
        time.sleep(0.2)
        out.seek(0)
        after = len(re.findall(r"\w\(", out.read()))
        trace.terminate()
        trace.wait()
    return after - before


def open_with(bench, server, count, rows, traced):
    """A fresh worker each time; the one before ended at once, with what was new in it a moment old."""
    turn = count
    for n, row in zip(NEW, rows):
        for run in range(bench.runs + 1):
            server.stop()
            arrive(server, n, turn := turn + 1)
            server.start()
            imap = Imap(server.imap_port, "user0")
            if run == bench.runs:
                traced[n].add("calls", server, calls(server, imap))
            else:
                with Clock(server) as clock:
                    imap.command("SELECT INBOX")
                row.clock(server, clock)
            imap.command("LOGOUT")


@figure("open a large folder", last=True)
def open_large(bench):
    for count in (bench.size(50000), bench.size(500000)):
        rows = [bench.row(f"SELECT of {count:,} with {n} new ones, fresh worker", "no growth") for n in NEW]
        traced = {n: bench.row(f"SELECT of {count:,} with {n} new ones", "no growth", "calls") for n in NEW if shutil.which("strace")}
        for server in bench.servers():
            server.fill("user0", bench.maildir(count, 400))
            with server:
                imap = Imap(server.imap_port, "user0")
                imap.command("SELECT INBOX")
                imap.command("LOGOUT")
                open_with(bench, server, count, rows, traced)
