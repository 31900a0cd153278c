"""The webmail's click: log in, select, log out."""
from bench import figure
from client import Clock, Imap, Lmtp, in_threads


@figure("login")
def login(bench):
    each = bench.size(250)
    row = bench.row("login, SELECT, LOGOUT, plain text, 8 at a time", 3)
    for server in bench.servers(8):
        with server:
            lmtp = Lmtp(server.lmtp_port)
            for user in server.users:
                lmtp.send(user, b"Subject: x\r\n\r\nx")

            def one(n):
                for _ in range(each):
                    imap = Imap(server.imap_port, server.users[n])
                    imap.command("SELECT INBOX")
                    imap.command("LOGOUT")
                    imap.close()
            in_threads(one, 8)
            for _ in range(bench.runs):
                with Clock(server) as clock:
                    in_threads(one, 8)
                row.clock(server, clock, 8 * each)
