#!/usr/bin/env python3
"""The real messages of ROOST_CORPUS: sent directly over LMTP they come back as they were, in CRLF form; by the same
Postfix to Roost and to Debian's Dovecot they come back alike; ENVELOPE, BODY and BODYSTRUCTURE are equal to Dovecot's
but for those in tests/data/corpus-differences.txt, explained in doc/mime-differences.md; mbsync brings them down over STARTTLS.

What is sent: the file with every line end made CRLF. A bare CR stays; a missing last line end is added. NUL is stored
as it came; since no IMAP literal may hold it, it is read as 0x80 (as from Dovecot).
"""
import imaplib
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
from servers import Dovecot  # noqa: E402
from testmbsync import mbsync  # noqa: E402
from testpostfix import Postfix  # noqa: E402
from testsite import ROOT, Site, free_ports, need, skip, wait_for  # noqa: E402

CORPUS = os.environ.get("ROOST_CORPUS", "")
USER = "anna@example.org"


def corpus():
    found = []
    for base, dirs, files in sorted(os.walk(CORPUS)):
        dirs.sort()
        found += [os.path.join(base, f) for f in sorted(files) if f != "NOTICE.md"]
    return found


def crlf(data):
    """Line ends made CRLF: what SMTP can carry. Lone CRs stay."""
    text = re.sub(rb"\r?\n", b"\r\n", data)
    return text if text.endswith(b"\r\n") or not text else text + b"\r\n"


def send(port, user, texts):
    """LMTP by hand: smtplib would change line ends."""
    lmtp = smtplib.LMTP("127.0.0.1", port, timeout=60)
    lmtp.ehlo("test")
    for text in texts:
        code, answer = lmtp.docmd("MAIL", "FROM:<a@example.net> BODY=8BITMIME")
        assert code == 250, answer
        code, answer = lmtp.docmd("RCPT", f"TO:<{user}>")
        assert code == 250, answer
        code, answer = lmtp.docmd("DATA")
        assert code == 354, answer
        stuffed = re.sub(rb"(^|\r\n)\.", rb"\1..", text)
        lmtp.send(stuffed + b".\r\n")
        code, answer = lmtp.getreply()
        assert code == 250, (answer, text[:200])
    lmtp.quit()


def bodies(imap, count):
    """BODY[] of all messages, by UID order; in slices, so that memory stays small."""
    imap.select("INBOX", readonly=True)
    for first in range(1, count + 1, 100):
        _, data = imap.fetch(f"{first}:{min(first + 99, count)}", "(BODY.PEEK[])")
        for item in data:
            if isinstance(item, tuple):
                yield item[1]


def without_trace(text):
    """Cuts the headers that the server put in front: Return-Path, Delivered-To, one Received."""
    return re.sub(rb"\AReturn-Path: [^\r]*\r\nDelivered-To: [^\r]*\r\nReceived: [^\r]*\r\n(?:\t[^\r]*\r\n){4}", b"", text)


def direct(site, files):
    texts = [crlf(open(f, "rb").read()) for f in files]
    send(site.lmtp_port, USER, texts)
    imap = site.imap(USER)
    wrong = [files[i] for i, got in enumerate(bodies(imap, len(files))) if without_trace(got) != texts[i].replace(b"\0", b"\x80")]
    imap.logout()
    assert not wrong, (len(wrong), wrong[:10])
    print(f"{len(files)} messages over LMTP: identical")


def by_mbsync(site, files):
    """mbsync itself skips a message whose header has no end."""
    count = sum(b"\n\r\n" in b"\n" + crlf(open(f, "rb").read()) for f in files)
    near = f"{site.dir}/near"
    done = mbsync(site, USER, "STARTTLS", site.imap_port, near)
    have = len(os.listdir(f"{near}/INBOX/new")) + len(os.listdir(f"{near}/INBOX/cur"))
    assert have == count, (have, count, done.stdout[-1000:], done.stderr[-2000:])
    print(f"{count} messages by mbsync over STARTTLS")


# --- the same Postfix to both servers ---

def by_number(imap, count, what):
    """The answers to FETCH what, by the number in Return-Path."""
    imap.select("INBOX", readonly=True)
    numbers = {}
    _, data = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (RETURN-PATH)])")
    for item in data:
        if isinstance(item, tuple):
            numbers[int(item[0].split()[0])] = int(re.search(rb"<n(\d+)@", item[1]).group(1))
    for first in range(1, count + 1, 100):
        _, data = imap.fetch(f"{first}:{min(first + 99, count)}", what)
        for seq, text in answers(data):
            yield numbers[seq], text


def answers(data):
    """(sequence number, whole response with its literals) of each FETCH response."""
    current = b""
    for item in data:
        if isinstance(item, tuple):
            current += item[0] + b"\r\n" + item[1]
            continue
        current += item
        yield int(current.split()[0]), current
        current = b""


def tree(text):
    """An IMAP response as nested lists, so that a literal equals a quoted string."""
    top, stack, at = [], [], 0
    here = top
    token = re.compile(rb'\{(\d+)\}\r\n|"((?:[^"\\]|\\.)*)"|([()])|([^\s()]+)|\s+')
    while at < len(text):
        m = token.match(text, at)
        at = m.end()
        if m.group(1) is not None:
            size = int(m.group(1))
            here.append(("s", text[at:at + size]))
            at += size
        elif m.group(2) is not None:
            here.append(("s", re.sub(rb"\\(.)", rb"\1", m.group(2), flags=re.S)))
        elif m.group(3) == b"(":
            stack.append(here)
            here.append([])
            here = here[-1]
        elif m.group(3) == b")":
            here = stack.pop()
        elif m.group(4) is not None:
            here.append(m.group(4).upper())
    return top


def through_postfix(files):
    with Dovecot(1) as other, Site({USER: "secret"}) as site:
        port, = free_ports(1)
        q = f"{site.dir}/postfix"
        os.mkdir(q)
        more = (f"virtual_mailbox_domains = example.org, dovecot.example\nvirtual_transport = lmtp:unix:{site.dir}/lmtp\n"
                f"transport_maps = inline:{{ dovecot.example=lmtp:inet:127.0.0.1:{other.lmtp_port} }}\n"
                "virtual_alias_maps =\nlocal_recipient_maps =\n")
        with Postfix(q, port, more) as postfix:
            smtp = smtplib.SMTP("127.0.0.1", port, timeout=60)
            smtp.ehlo("test")
            for n, path in enumerate(files):
                data = re.sub(rb"(^|\r\n)\.", rb"\1..", crlf(open(path, "rb").read()))
                for command in (f"MAIL FROM:<n{n}@example.net> BODY=8BITMIME", f"RCPT TO:<{USER}>",
                                "RCPT TO:<user0@dovecot.example>", "DATA"):
                    code, answer = smtp.docmd(command)
                    assert code < 400, (command, answer)
                smtp.send(data + b".\r\n")
                code, answer = smtp.getreply()
                assert code == 250, (path, answer)
            smtp.quit()
            ours = site.imap(USER)
            theirs = imaplib.IMAP4("127.0.0.1", other.imap_port, timeout=120)
            theirs.login("user0", "secret")
            for imap in (ours, theirs):
                wait_for(lambda: imap.select("INBOX")[1][0] == str(len(files)).encode(), 300, 0.5)
        a, b = (dict(by_number(imap, len(files), "(BODY.PEEK[])")) for imap in (ours, theirs))
        wrong = [files[n] for n in a if without_trace(literal(a[n])) != without_trace(literal(b[n]))]
        assert not wrong, (len(wrong), wrong[:10])
        print(f"{len(files)} messages through Postfix: identical in both servers")
        a, b = (dict(by_number(imap, len(files), "(ENVELOPE BODY BODYSTRUCTURE)")) for imap in (ours, theirs))
        with open(f"{os.environ['ROOST_TOP']}/tests/data/corpus-differences.txt") as f:
            known = {line.strip() for line in f if not line.startswith("#")}
        different = {os.path.relpath(files[n], CORPUS) for n in a if tree(a[n])[1:] != tree(b[n])[1:]}
        print(f"{len(files) - len(different)} structures equal, {len(different)} differ, {len(known)} listed")
        assert different == known, (sorted(different - known), sorted(known - different))
        ours.logout()
        theirs.logout()


def literal(answer):
    head, _, rest = answer.partition(b"}\r\n")
    return rest[:int(head.rpartition(b"{")[2])]


if not CORPUS or not os.path.isdir(CORPUS):
    skip("ROOST_CORPUS names no folder of messages")
need("mbsync", "openssl", "postfix", "dovecot")
files = corpus()
with Site({USER: "secret"}) as site:
    direct(site, files)
    by_mbsync(site, files)
if ROOT:
    through_postfix(files)
