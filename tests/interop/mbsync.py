#!/usr/bin/env python3
"""mbsync two-way: flags, deletes and new folders, over STARTTLS and over TLS from the first byte."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testmbsync import mbsync  # noqa: E402
from testsite import Site, messages, need  # noqa: E402

USER = "anna@example.org"


def files(folder):
    return sorted(os.listdir(f"{folder}/cur") + os.listdir(f"{folder}/new"))


def round_trip(site, kind, port):
    near = f"{site.dir}/near-{kind}"
    box = f"Box{kind}"
    imap = site.imap(USER)
    for n in range(5):
        site.deliver(USER, f"Subject: {kind} {n}\r\nMessage-ID: <{kind}{n}@x>\r\n\r\nbody {n}\r\n".encode())
    assert imap.create(box)[0] == "OK"
    imap.append(box, r"(\Flagged)", None, b"Subject: filed\r\n\r\nx\r\n")
    imap.select("INBOX")
    have = len(imap.search(None, "ALL")[1][0].split())
    mbsync(site, USER, kind, port, near)
    inbox = files(f"{near}/INBOX")
    assert len(inbox) == have, (len(inbox), have)
    assert len(files(f"{near}/{box}")) == 1 and "F" in files(f"{near}/{box}")[0].split(":2,")[1]

    # Here: flag one, remove one, make a folder with a message. There: flag another.
    names = files(f"{near}/INBOX")
    for name in names:
        if os.path.exists(f"{near}/INBOX/new/{name}"):
            os.rename(f"{near}/INBOX/new/{name}", f"{near}/INBOX/cur/{name.split(':2,')[0]}:2,")
    names = files(f"{near}/INBOX")
    texts = {name: open(f"{near}/INBOX/cur/{name}", "rb").read() for name in names}
    pick = {i: next(n for n, t in texts.items() if f"Subject: {kind} {i}".encode() in t) for i in range(5)}
    base, flags = pick[0].split(":2,")
    os.rename(f"{near}/INBOX/cur/{pick[0]}", f"{near}/INBOX/cur/{base}:2,{''.join(sorted(set(flags + 'FS')))}")
    base, flags = pick[1].split(":2,")
    os.rename(f"{near}/INBOX/cur/{pick[1]}", f"{near}/INBOX/cur/{base}:2,{''.join(sorted(set(flags + 'T')))}")
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{near}/New{kind}/{sub}")
    with open(f"{near}/New{kind}/cur/1.fresh:2,S", "w") as f:
        f.write("Subject: made here\n\nbody\n")
    imap.select("INBOX")
    uid = imap.uid("SEARCH", f'SUBJECT "{kind} 2"')[1][0].split()[0].decode()
    imap.uid("STORE", uid, "+FLAGS", r"(\Answered)")
    mbsync(site, USER, kind, port, near)

    imap.select("INBOX")
    state = {}
    for head, text in messages(imap, "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
        state[text.decode().strip()] = head.decode()
    assert r"\Flagged" in state[f"Subject: {kind} 0"] and r"\Seen" in state[f"Subject: {kind} 0"], state
    assert f"Subject: {kind} 1" not in state, state
    assert any("R" in n.split(":2,")[1] for n in files(f"{near}/INBOX") if ":2," in n)
    assert imap.select(f"New{kind}")[1][0] == b"1"
    mbsync(site, USER, kind, port, near)
    imap.logout()


need("mbsync", "openssl")
with Site({USER: "secret"}) as site:
    round_trip(site, "STARTTLS", site.imap_port)
    round_trip(site, "IMAPS", site.imaps_port)
print("mbsync: well")
