"""Delivery: what a message costs, and how often it is flushed."""
import random
import re
import shutil
import subprocess
import tempfile
import time

from bench import figure
from client import Clock, Lmtp, in_threads, message
from servers import processes


def load(server, sessions, each, data):
    def one(n):
        lmtp = Lmtp(server.lmtp_port)
        for _ in range(each):
            lmtp.send(server.users[n % len(server.users)], data)
        lmtp.close()
    in_threads(one, sessions)


def count_syncs(server, data):
    """Flushes a message, by strace on every process of the server."""
    pids = ",".join(str(p) for p in processes(server.pid))
    with tempfile.NamedTemporaryFile("r") as out:
        trace = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs,msync", "-o",
                                  out.name, "-p", pids], stderr=subprocess.DEVNULL)
        time.sleep(1)
        load(server, 4, 5, data)
        time.sleep(0.5)
        trace.terminate()
        trace.wait()
        return len(re.findall(r"(fsync|fdatasync|sync_file_range|syncfs|msync)\(", out.read())) / 20


@figure("lmtp")
def lmtp(bench):
    data = message(random.Random(2), 1, 9300)
    each = bench.size(50)
    times = bench.row("LMTP, 10 kB, 20 sessions to 20 users, a message", "1.5 wall, 2 CPU")
    flushes = bench.row("LMTP, flushes a message", "1", "calls")
    for server in bench.servers(20):
        with server:
            load(server, 20, 2, data)
            for _ in range(bench.runs):
                with Clock(server) as clock:
                    load(server, 20, each, data)
                times.clock(server, clock, 20 * each)
            if shutil.which("strace"):
                flushes.add("flushes", server, count_syncs(server, data))
