"""Many clients of some users, each with its own list of commands; the lists are the same for both servers."""
import random

from bench import figure
from client import Clock, Imap, in_threads, message

CLIENTS, USERS = 50, 20
BOXES = ("INBOX", "work", "lists")


def some(rng):
    first = rng.randrange(1, 300)
    return f"{first}:{first + rng.randrange(20)}"


def append(rng):
    return f"APPEND {rng.choice(BOXES)} ({rng.choice(['', chr(92) + 'Seen'])})", message(rng, rng.randrange(10000))


KINDS = {  # kind: (weight, command)
    "list": (18, lambda rng: f"UID FETCH {some(rng)} (FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
    "structure": (5, lambda rng: f"UID FETCH {some(rng)} (UID BODYSTRUCTURE)"),
    "flags": (8, lambda rng: "FETCH 1:* (UID FLAGS)"),
    "read": (15, lambda rng: f"UID FETCH {rng.randrange(1, 300)} (UID BODY[])"),
    "header": (4, lambda rng: f"UID FETCH {some(rng)} (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])"),
    "mark": (10, lambda rng: f"UID STORE {some(rng)} {rng.choice('+-')}FLAGS ({rng.choice([chr(92) + 'Flagged', '$Label1'])})"),
    "delete": (3, lambda rng: f"UID STORE {rng.randrange(1, 300)} +FLAGS.SILENT ({chr(92)}Deleted)"),
    "expunge": (2, lambda rng: "EXPUNGE"),
    "append": (8, append),
    "copy": (2, lambda rng: f"UID COPY {some(rng)} {rng.choice(BOXES)}"),
    "select": (4, lambda rng: f"SELECT {rng.choice(BOXES)}"),
    "search": (5, lambda rng: rng.choice(["UID SEARCH UNSEEN", "UID SEARCH FLAGGED", "UID SEARCH FROM person7",
                                          "UID SEARCH SUBJECT house"])),
    "status": (6, lambda rng: f"STATUS {rng.choice(BOXES)} (MESSAGES UNSEEN UIDNEXT)"),
    "folders": (2, lambda rng: 'LIST "" *'),
    "noop": (8, lambda rng: "NOOP"),
}


def commands(seed, count):
    """count pairs of text and literal."""
    rng = random.Random(seed)
    kinds = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=count)
    made = [KINDS[kind][1](rng) for kind in kinds]
    return [c if isinstance(c, tuple) else (c, b"") for c in made]


def run(server, lists):
    def one(n):
        imap = Imap(server.imap_port, server.users[n % USERS])
        imap.command("SELECT INBOX")
        for text, data in lists[n]:
            imap.command(text, data, want=(b"OK", b"NO"))  # NO: expunged by another client
        imap.command("LOGOUT")
        imap.close()
    in_threads(one, CLIENTS)


@figure("mixed")
def mixed(bench):
    """Every run goes on with what the one before left behind. What is owed counts."""
    each = bench.size(100)
    row = bench.row("mixed load, 50 clients of 20 users, a command", 2)
    box = bench.maildir(300)
    for server in bench.servers(USERS):
        for user in server.users:
            server.fill(user, box)
            for name in BOXES[1:]:
                server.fill(user, box, name)
        with server:
            for n in range(bench.runs + 1):
                lists = [commands(1000 * n + c, each) for c in range(CLIENTS)]
                with Clock(server) as clock:
                    run(server, lists)
                    server.settle()
                if n > 0:
                    row.add("cpu", server, clock.cpu * 1e3 / (CLIENTS * each))
