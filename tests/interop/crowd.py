#!/usr/bin/env python3
"""Connections that never log in: one address fills the table at its own cost only; who is logged in, or comes from elsewhere, stays."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import Site, wait_for  # noqa: E402

USER, LIMIT = "anna@example.org", 20


def connect(site, source):
    s = socket.create_connection(("127.0.0.1", site.imap_port), 10, (source, 0))
    assert s.recv(4096).startswith(b"* OK"), source
    return s


def ended(s):
    s.setblocking(False)
    try:
        return s.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        s.setblocking(True)


def talks(s):
    s.sendall(b"n NOOP\r\n")
    return s.recv(4096).startswith(b"n OK")


with Site({USER: "secret"}, extra=f"login_processes = 1\ndefault_client_limit = {LIMIT}\n") as site:
    imap = site.imap(USER)
    imap.select("INBOX")
    elsewhere = [connect(site, f"127.0.0.{n}") for n in (2, 3, 3)]
    crowd = [connect(site, "127.0.0.1") for _ in range(3 * LIMIT)]
    wait_for(lambda: sum(ended(s) for s in crowd) == len(crowd) + len(elsewhere) - LIMIT)
    assert not any(ended(s) for s in crowd[-(LIMIT - len(elsewhere)):]), "the oldest go"
    assert all(talks(s) for s in elsewhere + crowd[-1:]), "who comes from elsewhere stays"
    assert imap.noop()[0] == "OK"
    assert site.imap(USER).select("INBOX")[0] == "OK", "and can log in"
    for s in crowd + elsewhere:
        s.close()
    wait_for(lambda: talks(connect(site, "127.0.0.1")))
    assert "Too many connections" in site.log()
print("crowd: well")
