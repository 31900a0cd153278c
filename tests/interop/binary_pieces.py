#!/usr/bin/env python3
"""BINARY in pieces, in order and at random, of two parts in turn: always what the whole has there, and no slower towards the end."""
import base64
import os
import quopri
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site  # noqa: E402

USER = "anna@example.org"
PIECE = 65536


def fill(folder, octets, text):
    parts = (("base64", base64.encodebytes(octets)), ("quoted-printable", quopri.encodestring(text)))
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    with open(f"{folder}/cur/1700000000.M1P1.test:2,S", "wb") as f:
        f.write(b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n")
        for name, data in parts:
            f.write(b"--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: %s\n\n%s\n" % (name.encode(), data))
        f.write(b"--b--\n")
    for base, _, files in os.walk(os.path.dirname(folder)):
        for name in [base] + [f"{base}/{f}" for f in files]:
            if ROOT:
                os.chown(name, UID, GID)


def fetch(imap, part, offset=None, count=None):
    piece = "" if offset is None else f"<{offset}.{count}>"
    status, data = imap.fetch("1", f"(BINARY.PEEK[{part}]{piece})")
    assert status == "OK", data
    return data[0][1] if isinstance(data[0], tuple) else b""


def in_order(imap, part, whole):
    """Seconds for each piece."""
    took = []
    for at in range(0, len(whole), PIECE):
        start = time.monotonic()
        assert fetch(imap, part, at, PIECE) == whole[at:at + PIECE], (part, at)
        took.append(time.monotonic() - start)
    return took


def main():
    rng = random.Random(5)
    octets = rng.randbytes(8 << 20).replace(b"\0", b"\1")  # imaplib knows no literal8
    text = bytes(rng.choice(b"abc =\xe4\t\n") for _ in range(200000))
    with Site({USER: "secret"}, start=False) as site:
        fill(site.maildir(USER), octets, text)
        site.start()
        imap = site.imap(USER)
        imap.select("INBOX")
        whole = {1: fetch(imap, 1), 2: fetch(imap, 2)}
        assert whole[1] == octets
        took = in_order(imap, 1, whole[1])
        in_order(imap, 2, whole[2])
        # Decoding from the start each time, a piece at the end would take a hundred times as long as one at the start.
        assert min(took[-16:]) < 10 * min(took[:16]) + 0.01, (took[:16], took[-16:])
        for _ in range(100):
            part = rng.choice((1, 2, 2))
            at, count = rng.randrange(len(whole[part]) + 10), rng.randrange(1, 200000)
            assert fetch(imap, part, at, count) == whole[part][at:at + count], (part, at, count)
        imap.logout()
    print("binary_pieces: well")


if __name__ == "__main__":
    main()
