#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Clients that mean harm, before they have logged in: endless lines, huge literals, floods of connections, browsers.

The server goes on serving others meanwhile, keeps its memory and its descriptors, and ends each of them.
"""
import concurrent.futures
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import SANITIZED, Site, wait_for  # noqa: E402

USER = "anna@example.org"
CONNECTIONS = 500 if SANITIZED else 4000


def connect(site, port=None):
    s = socket.create_connection(("127.0.0.1", port or site.imap_port), 20)
    return s


def converse(site, data, port=None):
    """All that comes back until the server closes; it must close."""
    got = b""
    with connect(site, port) as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass
    return got


def abort(s):
    """A reset instead of a farewell."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def memory(site):
    """KiB that the master, the logins and the auths hold, all together."""
    total = 0
    for pid in [site.proc.pid] + site.kids("roost-login") + site.kids("roost-auth") + site.kids("roost-auth-worker"):
        with open(f"/proc/{pid}/status") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return total


def descriptors(site):
    pids = [site.proc.pid]
    for program in ("roost-login", "roost-auth", "roost-auth-worker", "roost-control"):
        pids += site.kids(program)
    return {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in pids}


def login_works(site):
    imap = site.imap(USER)
    assert imap.noop()[0] == "OK"
    imap.logout()


def test_endless_line(site):
    """64 MiB without an end of line: thrown away as they come, or the connection ends; never held."""
    before = memory(site)
    for start in (b"a ", b"", b"a LOGIN ", b"a LOGIN \"", b"a ID (", b"a AUTHENTICATE PLAIN "):
        with connect(site) as s:
            s.recv(1000)
            sent = 0
            try:
                s.sendall(start)
                while sent < 64 << 20:
                    s.sendall(b"x" * 65536)
                    sent += 65536
                s.sendall(b"\r\n")
                assert b" BAD " in s.recv(1000), start
            except (BrokenPipeError, ConnectionResetError):
                pass
            if not SANITIZED:
                assert memory(site) < before + 2048, (start, before, memory(site))
    login_works(site)


def test_literals(site):
    for line in (b"a LOGIN {4294967296}\r\n", b"a LOGIN {100000000}\r\n", b"a LOGIN {100000+}\r\n" + b"x" * 100000,
                 b"a ID " + b"{4000+}\r\n" + b"x" * 4000 + b" {4000+}\r\n" + b"x" * 4000,
                 b"a LOGIN {99999999999999999999999}\r\n", b"a LOGIN {-1}\r\n", b"a APPEND INBOX {1000000+}\r\n"):
        got = converse(site, line + b"\r\n" * 5 + b"b X\r\nc X\r\nd X\r\n")
        assert b"BAD" in got or b"BYE" in got, (line[:40], got)
    assert b"BYE" in converse(site, b"a ID (" + b"(" * 5000 + b"\r\nx\r\ny\r\nz\r\n")
    login_works(site)


def test_three_bad_commands(site):
    got = converse(site, b"a X\r\nb Y\r\nc Z\r\nd NOOP\r\n")
    assert got.count(b" BAD ") == 3 and b"* BYE" in got and b"d OK" not in got, got
    got = converse(site, b"\x00\r\n" * 10)
    assert b"OK NOOP" not in got


def test_browsers(site):
    for verb in (b"GET / HTTP/1.1", b"POST / HTTP/1.1", b"OPTIONS * HTTP/1.0", b"PRI * HTTP/2.0", b"CONNECT x:1 HTTP/1.1"):
        for port in (site.imap_port, site.lmtp_port):
            got = converse(site, verb + b"\r\nHost: x\r\nCookie: secret\r\n\r\na NOOP\r\n", port)
            lines = got.split(b"\r\n")
            assert len(lines) == 2 and lines[1] == b"" and b"Cookie" not in got, (verb, got)


def test_abort_everywhere(site):
    """A reset after every byte of a login and of a delivery."""
    login = b"a LOGIN {16+}\r\nanna@example.org secret\r\nb SELECT INBOX\r\nc LOGOUT\r\n"
    sasl = b"a AUTHENTICATE PLAIN\r\nAGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0\r\nb NOOP\r\n"
    mail = (b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<anna@example.org>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n"
            b"Subject: x\r\n\r\n.")
    for text, port in ((login, site.imap_port), (sasl, site.imap_port), (mail, site.lmtp_port)):
        for n in range(0, len(text) + 1, 3 if SANITIZED else 1):
            s = connect(site, port)
            s.sendall(text[:n])
            if n % 4 == 0:
                time.sleep(0.003)
            abort(s)
    login_works(site)
    assert os.listdir(site.maildir(USER) + "/new") == []
    wait_for(lambda: os.listdir(site.maildir(USER) + "/tmp") == [])


def flood(site, n):
    for i in range(n):
        s = connect(site, (site.imap_port, site.imaps_port, site.lmtp_port)[i % 3])
        if i % 2:
            s.sendall(b"\x16\x03\x01" if i % 3 == 1 else b"a LOGIN x y\r\n" if i % 3 == 0 else b"LHLO x\r\nMAIL FROM:<a@b>\r\n")
        abort(s)


def test_flood(site):
    """Thousands of connections that are broken off leave nothing behind."""
    flood(site, CONNECTIONS // 4)
    login_works(site)
    time.sleep(0.5)
    before, fds = memory(site), descriptors(site)
    flood(site, CONNECTIONS)
    login_works(site)
    wait_for(lambda: all(n <= fds[pid] + 2 for pid, n in descriptors(site).items()), 20)
    if not SANITIZED:
        assert memory(site) < before + 3000, (before, memory(site))


def test_sessions_leave_nothing(site):
    for _ in range(50):
        login_works(site)
    time.sleep(0.3)
    before, fds = memory(site), descriptors(site)
    for i in range(CONNECTIONS // 10):
        imap = site.imap(USER, tls=i % 4 == 0)
        imap.logout()
    wait_for(lambda: all(n <= fds[pid] + 2 for pid, n in descriptors(site).items()), 20)
    if not SANITIZED:
        assert memory(site) < before + 3000, (before, memory(site))


def slow_drip(site):
    """A byte now and then does not keep a connection: 60 seconds in all are given to log in. How many those were."""
    start = time.monotonic()
    with connect(site) as s:
        s.settimeout(0.5)
        s.recv(1000)
        s.sendall(b"a LOGIN ")
        got = b""
        while time.monotonic() - start < 120:
            try:
                s.sendall(b"x")
                more = s.recv(1000)
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
            if not more:
                break
            got += more
    assert b"BYE" in got, got
    return time.monotonic() - start


with Site({USER: "secret"}) as site, concurrent.futures.ThreadPoolExecutor() as meanwhile:
    login_works(site)
    dripped = None if SANITIZED else meanwhile.submit(slow_drip, site)
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test(site)
    assert not dripped or 55 < dripped.result() < 90, dripped.result()
print("hostile: well")
