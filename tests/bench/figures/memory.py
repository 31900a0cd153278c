"""What an idle TLS connection costs in memory."""
import resource
import time

from bench import figure
from client import Imap, Lmtp


@figure("memory")
def memory(bench):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count, users = bench.size(1000), bench.size(200)
    row = bench.row("idle: 1,000 TLS connections of 200 users, a connection", "70 KiB", "KiB")
    for server in bench.servers(users):
        with server:
            lmtp = Lmtp(server.lmtp_port)
            for user in server.users:
                lmtp.send(user, b"Subject: x\r\n\r\nx")
            lmtp.close()
            idle = []
            for n in range(count):
                imap = Imap(server.imaps_port, server.users[n % users], tls=True)
                imap.command("SELECT INBOX")
                imap.sock.sendall(b"i IDLE\r\n")
                idle.append(imap)
            time.sleep(3)
            row.add("PSS", server, server.pss() / count)
            for imap in idle:
                imap.close()
