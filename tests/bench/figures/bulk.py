"""A first sync downloads everything; one large message; a handshake for every click."""
import os
import random
import tempfile

from bench import figure
from client import Clock, Imap, client_context


def one_large(size):
    path = tempfile.mkdtemp() + "/m"
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{path}/{sub}")
    rng = random.Random(1)
    lines = [bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyz0123456789 ") for _ in range(76)) for _ in range(500)]
    block = b"\n".join(lines) + b"\n"
    text = b"From: a@example.org\nSubject: large\n\n" + block * (size // len(block))
    with open(f"{path}/cur/1700000000.M1P1.bench,S={len(text)}:2,S", "wb") as f:
        f.write(text)
    return path


def fetch(bench, row, server, port, tls, user, command):
    imap = Imap(port, user, tls=tls)
    imap.command("SELECT INBOX")
    imap.command(command)
    for _ in range(bench.runs):
        with Clock(server) as clock:
            imap.command(command)
        row.clock(server, clock)
    imap.close()


@figure("bulk BODY[]")
def bulk(bench):
    count, size = bench.size(10000), bench.size(50 << 20)
    plain = bench.row(f"BODY[] of {count:,} x 10 kB, plain text", 2, "s")
    tls = bench.row(f"BODY[] of {count:,} x 10 kB, TLS", 1.5, "s")
    large = bench.row(f"one message of {size >> 20} MB, TLS", 1.5, "s")
    large_box = one_large(size)
    for server in bench.servers(2):
        server.fill("user0", bench.maildir(count, 9300))
        server.fill("user1", large_box)
        with server:
            fetch(bench, plain, server, server.imap_port, False, "user0", "FETCH 1:* BODY[]")
            fetch(bench, tls, server, server.imaps_port, True, "user0", "FETCH 1:* BODY[]")
            fetch(bench, large, server, server.imaps_port, True, "user1", "FETCH 1 BODY[]")


@figure("login over TLS")
def login_tls(bench):
    count, context = bench.size(500), client_context()
    row = bench.row("full TLS handshake, login, LOGOUT", 1.5)

    def load(server):
        for _ in range(count):
            imap = Imap(server.imaps_port, "user0", tls=context)
            imap.command("LOGOUT")
            imap.close()
    for server in bench.servers():
        with server:
            load(server)
            for _ in range(bench.runs):
                with Clock(server) as clock:
                    load(server)
                row.clock(server, clock, count)
