#!/usr/bin/env python3
"""Compressed mail: what Dovecot's zlib plugin wrote is read, what is written with zlib_save Dovecot reads, byte for byte and with
the same sizes; damaged, truncated and monstrous files cost their message and nothing else."""
import bz2
import gzip
import os
import random
import re
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import GID, ROOT, SANITIZED, UID, Site  # noqa: E402

USER = "anna@example.org"
SAVE = "mail_plugins = zlib\nplugin {\n  zlib_save = %s\n  zlib_save_level = 5\n}\n"
MAGIC = {"gz": b"\x1f\x8b", "bz2": b"BZh", "zstd": b"\x28\xb5\x2f\xfd", "lz4": b"Dovecot-LZ4\r*\x9b\xc5"}
rng = random.Random(5)


def mail(number, lines=200):
    body = "".join(f"line {n} of {number} {rng.random()}\r\n" for n in range(lines))
    return (f"From: a{number}@example.org\r\nSubject: number {number}\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst {number} needle{number}\r\n"
            f"--b\r\nContent-Type: text/x-{number}\r\n\r\n{body}--b--\r\n").encode()


def files(site, folder=""):
    """{path: bytes} of all messages."""
    root = f"{site.maildir(USER)}/{folder}"
    return {f"{root}/{d}/{f}": open(f"{root}/{d}/{f}", "rb").read() for d in ("cur", "new") for f in os.listdir(f"{root}/{d}")}


def put(site, name, content):
    """A file in cur/, as another program would leave it."""
    path = f"{site.maildir(USER)}/cur/{name}"
    with open(path, "wb") as f:
        f.write(content)
    if ROOT:
        os.chown(path, UID, GID)


def bodies(imap):
    """{uid: (RFC822.SIZE, bytes)}"""
    found = {}
    ok, data = imap.uid("FETCH", "1:*", "(UID RFC822.SIZE BODY.PEEK[])")
    assert ok == "OK", data
    for part in data:
        if isinstance(part, tuple):
            head = part[0].decode()
            found[int(re.search(r"UID (\d+)", head)[1])] = (int(re.search(r"RFC822.SIZE (\d+)", head)[1]), part[1])
    return found


def check_fetches(imap, uid, text):
    """Every kind of FETCH, and SEARCH."""
    number = re.search(rb"number (\d+)", text)[1].decode()
    got = imap.uid("FETCH", str(uid), "(ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[1])")[1]
    assert f"number {number}".encode() in got[0][0] + got[0][1], got
    assert got[1][1] == f"first {number} needle{number}".encode(), got
    second = text[text.index(b"\r\n\r\nline") + 4:text.index(b"\r\n--b--")]
    assert imap.uid("FETCH", str(uid), "(BODY.PEEK[2])")[1][0][1] == second
    for _ in range(8):
        start, size = rng.randrange(len(text)), rng.randrange(1, 6000)
        got = imap.uid("FETCH", str(uid), f"(BODY.PEEK[]<{start}.{size}>)")[1][0][1]
        assert got == text[start:start + size], (start, size)
    assert str(uid).encode() in imap.uid("SEARCH", "BODY", f"needle{number}")[1][0].split()
    assert str(uid).encode() in imap.uid("SEARCH", "SUBJECT", f'"number {number}"')[1][0].split()


def written_here(method):
    with Site({USER: "secret"}, extra=SAVE % method) as site:
        imap = site.imap(USER)
        imap.select("INBOX")
        texts = [mail(n) for n in range(4)] + [b"Subject: number 9\r\n\r\n"]
        for text in texts[:3]:
            assert imap.append("INBOX", r"(\Seen)", '"01-Jan-2020 10:00:00 +0000"', text)[0] == "OK"
        site.deliver(USER, texts[3])
        assert imap.append("INBOX", None, None, texts[4])[0] == "OK"
        imap.noop()
        ours = bodies(imap)
        assert [ours[uid][1] for uid in (1, 2, 3, 5)] == texts[:3] + texts[4:] and ours[4][1].endswith(texts[3])
        for path, content in files(site).items():
            assert content.startswith(MAGIC[method]), path
            size = int(re.search(r",S=(\d+)", path)[1])
            assert size in {len(b.replace(b"\r\n", b"\n")) for _, b in ours.values()}, path
        for uid in range(1, 4):
            check_fetches(imap, uid, ours[uid][1])
        for small in (b"\x1f\x8b\x08\x00packed", bz2.compress(b"Subject: x\r\n\r\n")):
            answer = imap.append("INBOX", None, None, small)
            assert answer[0] == "NO", answer
        # A copy is a link; and a file of another file system, or of an mbox, is not asked for here.
        imap.create("other")
        assert imap.uid("COPY", "1:2", "other")[0] == "OK"
        inodes = {os.stat(p).st_ino for p in files(site)}
        assert all(os.stat(p).st_ino in inodes for p in files(site, ".other"))
        dates = imap.uid("FETCH", "1:*", "(INTERNALDATE)")[1]
        imap.logout()
        site.stop()
        if os.path.exists(PROGRAM):
            other = dovecot(site, method)
            other.select("INBOX")
            assert bodies(other) == ours
            assert other.uid("FETCH", "1:*", "(INTERNALDATE)")[1] == dates
            other.select("other")
            assert [b for _, b in bodies(other).values()] == texts[:2]
            other.logout()


def dovecot(site, method):
    conf = f"{site.dir}/dovecot.conf"
    with open(conf, "w") as f:
        f.write(f"log_path = /dev/stderr\nstats_writer_socket_path =\nbase_dir = {site.dir}/dc\nmail_plugins = zlib\n"
                f"plugin {{\n  zlib_save = {method}\n}}\nnamespace inbox {{\n  inbox = yes\n}}\n")
    return Stdio(site, "maildir:~/Maildir")


def written_by_dovecot(method):
    if not os.path.exists(PROGRAM):
        return
    with Site({USER: "secret"}) as site:
        site.imap(USER).logout()
        site.stop()
        other = dovecot(site, method)
        other.select("INBOX")
        texts = [mail(n) for n in range(3)] + [mail(7, 20000)]
        for text in texts:
            assert other.append("INBOX", r"(\Seen)", None, text)[0] == "OK"
        other.noop()
        theirs = bodies(other)
        other.logout()
        assert all(c.startswith(MAGIC[method]) for c in files(site).values())
        site.start()
        imap = site.imap(USER)
        imap.select("INBOX")
        for uid, text in enumerate(texts, 1):
            check_fetches(imap, uid, text)
        assert bodies(imap) == theirs
        imap.logout()


def odd_files():
    with Site({USER: "secret"}) as site:
        imap = site.imap(USER)
        imap.select("INBOX")
        text = mail(1)
        plain = text.replace(b"\r\n", b"\n")
        packed = gzip.compress(plain)
        parts = gzip.compress(plain[:1000]) + gzip.compress(plain[1000:])
        put(site, "1.whole:2,S", packed)
        put(site, f"2.lie,S={len(packed)},W=5:2,S", packed)
        put(site, "3.cut:2,S", packed[:-20])
        put(site, "4.broken:2,S", packed[:200] + b"\xff" * 50 + packed[250:])
        put(site, f"5.crc,S={len(plain)},W={len(text)}:2,S", packed[:-8] + b"\0\0\0\0" + packed[-4:])
        put(site, "6.members:2,S", parts)
        put(site, "7.crlf:2,S", gzip.compress(text))
        put(site, "8.tail:2,S", packed + b"something else")
        put(site, "9.head:2,S", b"\x1f\x8b\x08")
        imap.select("INBOX")
        for uid in (1, 6, 7):
            check_fetches(imap, uid, text)
        for uid in (2,):
            assert imap.uid("FETCH", str(uid), "(BODY.PEEK[])")[1][0][1] == text
            assert imap.uid("FETCH", str(uid), "(BODY.PEEK[]<10.100>)")[1][0][1] == text[10:110]
        for uid in (3, 4, 5, 8, 9):
            for what in ("BODY.PEEK[]", "ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[1]"):
                answer = imap.uid("FETCH", str(uid), f"({what})")
                assert answer[0] == "NO", (uid, what, answer)
        answer = imap.uid("FETCH", "1:9", "(UID BODY.PEEK[])")
        assert answer[0] == "NO", answer
        # Searching passes over what cannot be read.
        assert imap.uid("SEARCH", "BODY", "needle1")[1][0].split() == [b"1", b"2", b"6", b"7"]
        assert imap.uid("SEARCH", "ALL")[1][0].split() == [str(n).encode() for n in range(1, 10)]
        # What cannot be read can still be copied as it is, flagged, and expunged.
        imap.create("other")
        assert imap.uid("COPY", "1:9", "other")[0] == "OK"
        for path in files(site, ".other"):
            size = re.search(r",S=(\d+)", path)
            assert not size or int(size[1]) in (len(packed), len(plain)), path
        assert imap.uid("STORE", "3:4", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert imap.expunge()[0] == "OK"
        imap.logout()


def monsters():
    """Larger than a message may be when unpacked, and one that is merely large: read in chunks as by a mail program."""
    with Site({USER: "secret"}) as site:
        imap = site.imap(USER)
        imap.select("INBOX")
        if not SANITIZED:
            z = zlib.compressobj(9, zlib.DEFLATED, 31)
            bomb = z.compress(b"Subject: bomb\n\n") + b"".join(z.compress(bytes(1 << 24)) for _ in range(65)) + z.flush()
            put(site, "1.bomb:2,S", bomb)
        large = b"Subject: number 5\n\n" + b"0123456789abcdef" * (1 << 20) + b"\n"
        put(site, "2.large:2,S", gzip.compress(large, 1))
        imap.select("INBOX")
        if not SANITIZED:
            answer = imap.uid("FETCH", "1", "(BODY.PEEK[])")
            assert answer[0] == "NO" and b"LIMIT" in answer[1][0], answer
        wire = large.replace(b"\n", b"\r\n")
        got, step, at = [], 1 << 18, 0
        uid = imap.uid("SEARCH", "LARGER", "1")[1][0].split()[-1].decode()
        while at < len(wire):
            got.append(imap.uid("FETCH", uid, f"(BODY.PEEK[]<{at}.{step}>)")[1][0][1])
            at += step
        assert b"".join(got) == wire
        imap.logout()


for kind in MAGIC:
    written_here(kind)
    written_by_dovecot(kind)
odd_files()
monsters()
