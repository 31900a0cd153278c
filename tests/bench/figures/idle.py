"""From the 250 of a delivery to EXISTS in a session that idles."""
import threading
import time

from bench import figure
from client import Imap, Lmtp


@figure("idle")
def idle(bench):
    row = bench.row("LMTP 250 to EXISTS in IDLE", "below 2 ms")
    for server in bench.servers():
        with server:
            lmtp = Lmtp(server.lmtp_port)
            lmtp.send("user0", b"Subject: first\r\n\r\nx")
            imap = Imap(server.imap_port, "user0")
            imap.command("SELECT INBOX")
            imap.sock.sendall(b"i IDLE\r\n")
            while not imap.line().startswith(b"+"):
                pass
            for _ in range(3 * bench.runs):
                heard = []

                def listen():
                    while b"EXISTS" not in imap.line():
                        pass
                    heard.append(time.perf_counter())
                thread = threading.Thread(target=listen)
                thread.start()
                lmtp.send("user0", b"Subject: next\r\n\r\nx")
                sent = time.perf_counter()
                thread.join()
                row.add("wall", server, max(0.001, (heard[0] - sent) * 1e3))
                time.sleep(0.1)
