#!/usr/bin/env python3
"""Edges of IDLE and NOTIFY on the whole server: behind a big FETCH whose output still flushes, over TLS and COMPRESS, with
commands pipelined behind DONE; and clients that do not read: they cost bounded memory, do not hold up others, and end."""
import os
import re
import socket
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, SANITIZED, Site, UID  # noqa: E402

USER = "anna@example.org"
BIG = b"Subject: big\r\n\r\n" + (b"x" * 70 + b"\r\n") * 60000
SMALL = b"Subject: small\r\n\r\nx\r\n"


class Wire:
    """Lines over plain text or TLS, compressed from some point on."""

    def __init__(self, site, tls=False):
        self.sock = socket.create_connection(("127.0.0.1", site.imaps_port if tls else site.imap_port), 60)
        if tls:
            self.sock = site.tls().wrap_socket(self.sock)
        self.rest, self.out, self.into = b"", None, None
        self.line()
        self.send(b"a LOGIN %s secret\r\n" % USER.encode())
        self.until(rb"a OK")

    def send(self, data):
        if self.out:
            data = self.out.compress(data) + self.out.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(data)

    def compress(self):
        self.send(b"z COMPRESS DEFLATE\r\n")
        self.until(rb"z OK")
        self.out, self.into = zlib.compressobj(6, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def line(self):
        while b"\n" not in self.rest:
            got = self.sock.recv(262144)
            if not got:
                raise EOFError
            self.rest += self.into.decompress(got) if self.into else got
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r")

    def until(self, pattern):
        """Lines up to the one that matches, that one included."""
        lines = []
        while True:
            lines.append(self.line())
            if re.match(pattern, lines[-1]):
                return lines

    def close(self):
        self.sock.close()


def behind_fetch(site, tls, compress):
    """IDLE is pipelined behind a FETCH of some megabytes that the client does not read yet; mail comes meanwhile."""
    w = Wire(site, tls)
    if compress:
        w.compress()
    w.send(b"b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd IDLE\r\n")
    time.sleep(0.3)
    site.deliver(USER, SMALL)
    lines = w.until(rb"d |\* \d+ EXISTS$")
    lines += w.until(rb"c OK")
    lines += w.until(rb"\+ ")
    lines += w.until(rb"\* \d+ EXISTS$") if not any(re.match(rb"\* [2-9]\d* EXISTS", x) for x in lines[12:]) else []
    # DONE in any case of letters, and what follows it in one packet.
    w.send(b"dOnE\r\ne NOOP\r\nf UID SEARCH ALL\r\ng IDLE\r\nDONE\r\nh NOOP\r\n")
    ends = [x for x in w.until(rb"h OK") if re.match(rb"[d-h] ", x)]
    assert [x[:4] for x in ends] == [b"d OK", b"e OK", b"f OK", b"g OK", b"h OK"], ends
    w.close()


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def slow_readers(site):
    """Twenty sessions that ask to hear everything and read nothing, while flags of 150 messages change without end."""
    setup = Wire(site)
    setup.send(b"b CREATE busy\r\n")
    setup.until(rb"b OK")
    for n in range(150):
        setup.send(b"b APPEND busy {%d+}\r\n%s\r\n" % (len(SMALL), SMALL))
        setup.until(rb"b OK")
    setup.send(b"c SELECT busy\r\n")
    setup.until(rb"c OK")
    readers = []
    for n in range(20):
        w = Wire(site)
        w.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        if n % 2:
            w.send(b"b SELECT busy\r\nc IDLE\r\n")
            w.until(rb"\+ ")
        else:
            w.send(b"b SELECT busy\r\nc NOTIFY SET (selected (MessageNew (FLAGS ENVELOPE) MessageExpunge FlagChange)) (personal "
                   b"(MessageNew MessageExpunge FlagChange MailboxName))\r\n")
            w.until(rb"c OK")
        readers.append(w)
    pid = max(site.kids("roost-worker"), key=rss)
    before = rss(pid)
    slowest = 0
    for n in range(60):
        start = time.monotonic()
        setup.send(b"d STORE 1:* %cFLAGS.SILENT (\\Flagged $a $b)\r\n" % (b"+" if n % 2 == 0 else b"-"))
        setup.until(rb"d OK")
        slowest = max(slowest, time.monotonic() - start)
    grown = rss(pid) - before
    print(f"20 sessions that do not read: {grown} KiB more, slowest STORE of another {slowest * 1e3:.0f} ms")
    if not SANITIZED:
        assert grown < 20 * 400 + 4000, grown
    # Whoever begins to read hears the state as it is now, in order.
    w = readers[1]
    w.send(b"DONE\r\n")
    w.until(rb"c OK")
    w.send(b"e UID FETCH 1:* (FLAGS)\r\n")
    assert len([x for x in w.until(rb"e OK") if b"FETCH" in x]) >= 150
    w = readers[0]
    w.send(b"e NOOP\r\n")
    w.until(rb"e OK")
    for w in readers:
        w.close()
    setup.send(b"f NOOP\r\n")
    setup.until(rb"f OK")


def overflow(site):
    """More changes at once than a client should be told of: it is told so, and hears no more."""
    w = Wire(site)
    w.send(b"b NOTIFY SET (personal (MailboxName SubscriptionChange))\r\n")
    w.until(rb"b OK")
    path = site.maildir(USER) + "/subscriptions"
    with open(path + ".new", "w") as f:
        f.write("V\t2\n\n" + "".join(f"box{n}\n" for n in range(1500)))
    if os.geteuid() == 0:
        os.chown(path + ".new", UID, GID)
    os.rename(path + ".new", path)
    assert len(w.until(rb"\* OK \[NOTIFICATIONOVERFLOW\]")) == 1
    other = Wire(site)
    other.send(b"d SUBSCRIBE last\r\n")
    other.until(rb"d OK")
    w.send(b"e NOOP\r\n")
    assert len(w.until(rb"e OK")) == 1
    print("overflow is told")


def main():
    with Site(users={USER: "secret"}, extra="message_size_max = 20M\nmail_max_userip_connections = 100\n") as site:
        site.deliver(USER, BIG)
        for tls in (False, True):
            for compress in (False, True):
                behind_fetch(site, tls, compress)
                print(f"behind a big FETCH: tls {tls}, compress {compress}")
        slow_readers(site)
        overflow(site)


if __name__ == "__main__":
    main()
