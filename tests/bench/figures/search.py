"""Figures of SEARCH, SORT and THREAD: each command warm, several times a run."""
import os
import random

from client import Clock, Imap, make_maildir, message

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


def measure(args, both, show, box, commands):
    wall, cpu = {}, {}
    for server in both():
        server.fill("user0", box)
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            for name, text in commands.items():
                imap.command(text)
                imap.command(text)
                for _ in range(args.runs):
                    with Clock(server) as clock:
                        for _ in range(TIMES):
                            imap.command(text)
                    wall.setdefault(name, {}).setdefault(server.name, []).append(clock.wall * 1e3 / TIMES)
                    cpu.setdefault(name, {}).setdefault(server.name, []).append(clock.cpu * 1e3 / TIMES)
            imap.close()
    for name in commands:
        show(f"{name}, wall", "ms", wall[name])
        show(f"{name}, cpu", "ms", cpu[name])


def figures(both, show):
    def flags(args, work):
        measure(args, both, show, make_maildir(f"{work}/m", 100000 // args.scale, 200), {
            "SEARCH FLAGGED": "SEARCH FLAGGED", "SEARCH UNSEEN": "SEARCH UNSEEN", "SORT DATE": "SORT (DATE) UTF-8 ALL"})

    def headers(args, work):
        measure(args, both, show, make_maildir(f"{work}/m", 10000 // args.scale), {
            "SEARCH HEADER Message-ID": "SEARCH HEADER Message-ID 77.bench", "SEARCH FROM": "SEARCH FROM person7",
            "SEARCH HEADER Received": "SEARCH HEADER Received mx3.example.net"})

    def body(args, work):
        measure(args, both, show, make_maildir(f"{work}/m", 10000 // args.scale, 9300), {"SEARCH BODY": "SEARCH BODY xyzzyplugh"})

    def thread(args, work):
        measure(args, both, show, threaded(f"{work}/m", 10000 // args.scale), {
            "THREAD REFERENCES": "THREAD REFERENCES UTF-8 ALL"})

    return {"search flags sort": flags, "search header": headers, "search body": body, "search thread": thread}
