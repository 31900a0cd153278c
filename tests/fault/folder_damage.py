#!/usr/bin/env python3
"""What lies beside the messages and says who they are (dovecot-uidlist, dovecot-keywords, roost-extra and kin) is garbage, cut
in half, empty, unreadable or gone, with the index and without it. With the index clients notice nothing. Without it no message is
lost, none has another's UID under the same UIDVALIDITY, which never goes back, and what file names and status headers say of flags
holds. What is needed and may not be read is told (NOPERM), and once it may all is as before.

Usage: folder_damage.py [FORMAT/FILE/HOW], e.g. maildir/dovecot-uidlist/half
"""
import imaplib
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import SANITIZED, Site  # noqa: E402

ANNA = "anna@example.org"
FORMATS = {
    "maildir": ("maildir:~/Maildir",
                ("dovecot-uidlist", "dovecot-keywords", "roost-extra", "dovecot-uidvalidity", "subscriptions")),
    "mbox": ("mbox:~/mail:INBOX=~/inbox", ("roost-extra", "roost-journal", "dovecot-uidvalidity", ".subscriptions")),
}
WANTED = sys.argv[1] if len(sys.argv) > 1 else ""


def garbage(path):
    with open(path, "r+b") as f:
        f.write(os.urandom(max(os.path.getsize(path), 20)))


HOW = {
    "garbage": garbage,
    "half": lambda path: os.truncate(path, os.path.getsize(path) // 2),
    "empty": lambda path: os.truncate(path, 0),
    "unreadable": lambda path: os.chmod(path, 0),
    "gone": os.unlink,
}


def fill(site):
    imap = site.imap(ANNA)
    for n in range(6):
        flags = r"(\Seen one)" if n % 2 else r"(\Flagged two)"
        assert imap.append("INBOX", flags, None, f"Subject: {n}\r\n\r\nx\r\n".encode())[0] == "OK"
    imap.select("INBOX")
    for n in range(30):  # more than file names hold
        imap.store("3", "+FLAGS", f"(k{n})")
    imap.store("1", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.subscribe("INBOX")
    imap.logout()


def state(site):
    """UIDVALIDITY; by UID: text, system flags, keywords."""
    imap, found = site.imap(ANNA), {}
    ok, said = imap.select("INBOX")
    if ok != "OK":
        raise imaplib.IMAP4.error(said)
    validity = int(imap.response("UIDVALIDITY")[1][0])
    ok, parts = imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
    assert ok == "OK", parts
    for head, text in (p for p in parts if isinstance(p, tuple)):
        flags = set(re.search(rb"FLAGS \(([^)]*)\)", head)[1].split()) - {rb"\Recent"}
        system = {f for f in flags if f.startswith(b"\\")}
        found[int(re.search(rb"UID (\d+)", head)[1])] = text, sorted(system), sorted(flags - system)
    imap.logout()
    return validity, found


def check(before, after):
    (validity, old), (now, new) = before, after
    assert now >= validity, (validity, now)
    assert sorted(m[:2] for m in old.values()) == sorted(m[:2] for m in new.values()), (old, new)
    assert now > validity or all(new[uid][0] == m[0] for uid, m in old.items() if uid in new), (old, new)


def trial(form, name, how, index):
    with Site({ANNA: "secret"}, extra=f"mail_location = {FORMATS[form][0]}\n") as site:
        fill(site)
        before = state(site)
        site.stop()
        paths = [f"{where}/{name}" for where, _, names in os.walk(site.home(ANNA)) if name in names]
        assert paths, (form, name)
        modes = [os.stat(path).st_mode for path in paths]
        for path in paths:
            HOW[how](path)
        for where, names, _ in os.walk(site.home(ANNA)):
            if not index and "roost.index" in names:
                shutil.rmtree(f"{where}/roost.index")
        site.start()
        try:
            after = state(site)
        except imaplib.IMAP4.error as e:
            assert how == "unreadable" and "NOPERM" in str(e), e
            for path, mode in zip(paths, modes):
                os.chmod(path, mode)
            after = state(site)
            assert after == before, (before, after)
        check(before, after)
        assert not index or after == before, (before, after)


trials = 0
for form, (_, files) in FORMATS.items():
    for name in files:
        for how in HOW:
            for index in (True, False):
                case = f"{form}/{name}/{how}"
                if case.startswith(WANTED) and not (SANITIZED and not WANTED and (len(case) + index) % 4):
                    try:
                        trial(form, name, how, index)
                    except Exception as e:
                        raise AssertionError(f"{case}, {'with' if index else 'without'} index: {e!r:.1500}") from e
                    trials += 1
print(f"folder_damage: well, {trials} trials")
