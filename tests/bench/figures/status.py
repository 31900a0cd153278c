"""What a client asks of all mailboxes at once."""
from bench import figure
from client import Clock, Imap

STATUS = "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
BOXES = 100


@figure("status")
def status(bench):
    """Every mailbox has been opened once; the connection stays, nothing changes."""
    each = [f"STATUS box{n} {STATUS}" for n in range(BOXES)]
    asks = {
        "STATUS of 100 mailboxes, pipelined": each,
        "LIST of 100 RETURN (STATUS ...)": [f'LIST "" * RETURN (STATUS {STATUS})'],
        "the same with SIZE": [f'LIST "" * RETURN (STATUS {STATUS[:-1]} SIZE))'],
    }
    rows = {name: bench.row(name, 2) for name in asks}
    box = bench.maildir(100)
    for server in bench.servers():
        for n in range(BOXES):
            server.fill("user0", box, f"box{n}")
        with server:
            imap = Imap(server.imap_port, "user0")
            for n in range(BOXES):
                imap.command(f"SELECT box{n}")
                imap.command("FETCH 1:* (UID FLAGS RFC822.SIZE)")
            imap.command("UNSELECT")
            server.settle()
            for name, commands in asks.items():
                for n in range(bench.runs + 2):
                    with Clock(server) as clock:
                        imap.pipeline(commands)
                    if n > 1:
                        rows[name].clock(server, clock)
            imap.close()
