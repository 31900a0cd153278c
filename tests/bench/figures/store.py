"""Flags of many messages at once."""
from bench import figure
from client import Clock, Imap


@figure("store")
def store(bench):
    count = bench.size(10000)
    rows = {kind: (bench.row(f"STORE 1:* FLAGS{kind} over 10,000, to the OK", 8),
                   bench.row(f"STORE 1:* FLAGS{kind} over 10,000, with the file names", "1 CPU")) for kind in ("", ".SILENT")}
    for server in bench.servers():
        server.fill("user0", bench.maildir(count))
        with server:
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            imap.command("FETCH 1:* (UID FLAGS)")
            for kind, (answered, written) in rows.items():
                for n in range(bench.runs + 1):
                    server.settle()
                    with Clock(server) as whole:
                        with Clock(server) as clock:
                            imap.command(f"STORE 1:* {'-+'[n % 2]}FLAGS{kind} (\\Draft)")
                        server.settle()
                    if n > 0:
                        answered.clock(server, clock)
                        written.add("cpu", server, whole.cpu * 1e3)
            imap.close()
