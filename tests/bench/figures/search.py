"""SEARCH, SORT and THREAD, each command warm."""
import os
import random
import tempfile

from bench import figure
from client import Clock, Imap, message

TIMES = 5  # commands a run: some take a few milliseconds only


def threaded(path, count):
    """A Maildir of count messages, each with an id of its own, in threads of one to thirty with References."""
    rng = random.Random(3)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{path}/{sub}")
    thread, length = [], 0
    for n in range(count):
        if len(thread) >= length:
            thread, length = [], rng.choice([1, 1, 1, 2, 3, 5, 8, 30])
            subject = f"Topic {n}"
        text = message(rng, n, 200).replace(b".bench@example.net>\r\nIn-Reply-To: ", b".bench@example.net>\r\nX-Before: ")
        head, _, body = text.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Subject:")]
        lines.append(f"Subject: {'Re: ' if thread else ''}{subject}".encode())
        if thread:
            lines.append(b"References: " + b"\r\n ".join(b"<%d.bench@example.net>" % m for m in thread[-10:]))
        thread.append(n)
        lf = b"\n".join(lines + [b"", body.replace(b"\r\n", b"\n")])
        with open(f"{path}/cur/{1700000000 + n}.M{n}P1.thread,S={len(lf)}:2,S", "wb") as f:
            f.write(lf)
    return path


def measure(bench, box, commands):
    """commands: row -> text; {n} in it is another number each time."""
    for server in bench.servers():
        server.fill("user0", box)
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            for row, text in commands.items():
                imap.command(text.format(n=1))
                imap.command(text.format(n=2))
                for run in range(bench.runs):
                    with Clock(server) as clock:
                        for n in range(TIMES):
                            imap.command(text.format(n=3 + run * TIMES + n))
                    row.clock(server, clock, TIMES)
            imap.close()


@figure("search flags, sort")
def flags(bench):
    measure(bench, bench.maildir(bench.size(100000)), {
        bench.row("SEARCH FLAGGED over 100,000", 2): "SEARCH FLAGGED",
        bench.row("SEARCH UNSEEN over 100,000", 2): "SEARCH UNSEEN",
        bench.row("SORT DATE over 100,000", 2): "SORT (DATE) UTF-8 ALL"})


@figure("search headers")
def headers(bench):
    measure(bench, bench.maildir(bench.size(10000)), {
        bench.row("SEARCH HEADER Message-ID over 10,000", 3): "SEARCH HEADER Message-ID 77.bench",
        bench.row("SEARCH HEADER Received over 10,000", 3): "SEARCH HEADER Received mx3.example.net",
        bench.row("SEARCH FROM over 10,000", 3): "SEARCH FROM person7"})


@figure("search bodies")
def bodies(bench):
    measure(bench, bench.maildir(bench.size(10000), 9300), {
        bench.row("SEARCH BODY without a hit, 10,000 of 10 kB", 5): "SEARCH BODY xyzzyplugh"})


@figure("thread")
def thread(bench):
    measure(bench, threaded(tempfile.mkdtemp() + "/m", bench.size(10000)), {
        bench.row("THREAD REFERENCES over 10,000", 2): "THREAD REFERENCES UTF-8 ALL",
        bench.row("THREAD REFERENCES, other messages each time", ""): "THREAD REFERENCES UTF-8 NOT {n}"})
