#!/usr/bin/env python3
"""Mail whose sender wrote the lines in which an mbox keeps UIDs, flags and keywords, in files without an index: Roost believes
what Dovecot believes, and nothing of it through LMTP and APPEND."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import GID, ROOT, UID, Site, skip  # noqa: E402

USER = "anna@example.org"
FROM = "From eve@example.net Fri Jan  5 12:12:12 1996\n"
LOCATION = "mbox:~/mail:INBOX=~/inbox"


def mail(head):
    return f"{FROM}{head}\nbody\n\n"


GOOD = (mail("Subject: g1\nX-IMAPbase: 1000 0000000005 work play\nX-UID: 1\nStatus: RO\n") +
        mail("Subject: g2\nX-UID: 2\nStatus: O\n") + mail("Subject: g3\nX-UID: 3\nX-Keywords: work\n"))
NEXT = mail("Subject: f\n")
CASES = {
    "believable": GOOD + mail("Subject: e\nX-UID: 4\nStatus: RO\nX-Status: FAD\nX-Keywords: work\n"),
    "unlisted": GOOD + mail("Subject: e\nX-UID: 4\nX-Keywords: work unlisted\n"),
    "greater": GOOD + mail("Subject: e\nX-UID: 9999\nStatus: RO\n"),
    "again": GOOD + mail("Subject: e\nX-UID: 2\nStatus: R\n") + mail("Subject: f\nX-UID: 4\n"),
    "flags": GOOD + mail("Subject: e\nStatus: RO\nX-Status: F\nX-Keywords: work\n"),
    "first": mail("X-IMAPbase: 77 0000000099 zap\nSubject: e\nX-UID: 17\nStatus: RO\nX-Keywords: zap\n") + NEXT,
    "later": GOOD + mail("Subject: e\nX-IMAPbase: 5 0000000900 evil\nX-UID: 800\nX-Keywords: evil\n"),
    "before": mail("Subject: e\nX-UID: 3\nX-IMAPbase: 77 0000000009\n") + mail("Subject: f\nX-UID: 5\n"),
    "pseudo_later": GOOD + mail("Subject: e\nX-IMAP: 5 0000000900 evil\n"),
    "pseudo": mail("Subject: e\nX-IMAP: 5 0000000900 evil\n") + mail("Subject: f\nX-UID: 7\nX-Keywords: evil\n"),
    "two": mail("Subject: e\nX-IMAPbase: 77 0000000009\nX-UID: 3\nX-UID: 4\nStatus: R\nStatus: O\n") + mail("Subject: f\nX-UID: 4\nX-UID: 5\n"),
    "two_bases": mail("Subject: e\nX-IMAPbase: 77 0000000009 a\nX-IMAPbase: 78 0000000019 b\nX-UID: 3\nX-Keywords: a b\n"),
    "no_number": mail("Subject: e\nX-IMAPbase: 77 0000000009\nX-UID: -3\n") + mail("Subject: f\nX-UID: 4x\n") + mail("Subject: g\nX-UID: 5 6\n"),
    "short": mail("Subject: e\nX-IMAPbase: 77 9 a\nX-UID: 3\nX-Keywords: a\n"),
    "zero": mail("Subject: e\nX-IMAPbase: 0 0000000009 a\nX-UID: 3\nX-Keywords: a\n"),
    "last_low": mail("Subject: e\nX-IMAPbase: 77 0000000002\nX-UID: 2\n") + mail("Subject: f\nX-UID: 3\n") + NEXT + mail("Subject: h\nX-UID: 4\n"),
    "gap": mail("Subject: e\nX-IMAPbase: 77 0000000009\nX-UID: 2\n") + NEXT + mail("Subject: g\nX-UID: 5\n"),
    "no_base": mail("Subject: e\nStatus: RO\nX-Status: F\n") + mail("Subject: f\nX-UID: 5\nX-Keywords: foo\n"),
    "blanks": mail("Subject: e\nX-IMAPbase : 77 0000000009\nX-UID\t: 2\nStatus : RO\n") + mail("Subject: f\nX-UID : 4\n"),
    "unsayable": mail("X-IMAPbase: 77 0000000009 a(b good c)d \"q {3} \\Seen \\Foo %p *s ]x good Good \xfc\nX-UID: 2\nX-Keywords: good\n") +
                 mail("Subject: f\nX-UID: 3\nX-Keywords: good a(b\n"),
    "folded": mail("Subject: e\nX-IMAPbase: 77 0000000009\n a\n\tb\nX-UID: 2\nX-Keywords: a\n b\n"),
}
# Nobody counted so far: the UIDs shall run out. (Dovecot believes it; of UID 2^32-2 it dies.)
GREED = mail("Subject: e\nX-IMAPbase: 77 4294967290\nX-UID: 17\n") + NEXT
HIDDEN = "X-IMAPbase: 77 0000000099 zap\r\nX-IMAP: 77 0000000099\r\nX-UID: 17\r\nX-UID : 18\r\nStatus: RO\r\nX-Status: FAD\r\nX-Keywords: zap\r\nContent-Length: 3\r\n"


def state(imap, name):
    assert imap.select(name)[0] == "OK", name
    found = []
    validity, following = (int(imap.response(word)[1][0]) for word in ("UIDVALIDITY", "UIDNEXT"))
    for item in imap.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER])")[1]:
        if not isinstance(item, tuple):
            continue
        text = item[0].decode()
        flags = text.split("FLAGS (")[1].split(")")[0].lower().replace("\\recent", "").split()
        found.append((int(text.split("UID ")[1].split()[0].rstrip(")")), sorted(flags), item[1].decode()))
    # A new UIDVALIDITY is the second in which it was given.
    return validity if validity < 10**6 else "new", following, found


def prepare(site):
    home = site.home(USER)
    os.makedirs(f"{home}/mail")
    for name, text in {**CASES, "greed": GREED}.items():
        with open(f"{home}/mail/{name}", "w", encoding="latin-1") as f:
            f.write(text)
    if ROOT:
        for where, dirs, files in os.walk(f"{site.dir}/mail"):
            for name in [""] + dirs + files:
                os.chown(os.path.join(where, name), UID, GID)


def main():
    if not os.path.exists(PROGRAM):
        skip("Dovecot is not installed")
    with Site({USER: "secret"}, extra=f"mail_location = {LOCATION}\n") as site:
        prepare(site)
        other = Stdio(site, LOCATION)
        theirs = {name: state(other, name) for name in CASES}
        other.logout()
    with Site({USER: "secret"}, extra=f"mail_location = {LOCATION}\n") as site:
        prepare(site)
        imap = site.imap(USER)
        for name, want in theirs.items():
            got = state(imap, name)
            assert got == want, (name, "Dovecot:", want, "Roost:", got)
        validity, following, found = state(imap, "greed")
        assert (validity, following, [m[0] for m in found]) == ("new", 3, [1, 2]), (validity, following, found)

        text = f"{HIDDEN}Subject: forged\r\n{HIDDEN}\r\nbody\r\n".encode()
        site.deliver(USER, text)
        assert imap.append("INBOX", "(\\Answered)", None, text)[0] == "OK"
        validity, following, found = state(imap, "INBOX")
        assert [m[:2] for m in found] == [(1, []), (2, ["\\answered"])], found
        assert (validity, following) == ("new", 3)
        for _, _, head in found:
            assert "Subject: forged" in head
            assert not any(word in head for word in ("X-IMAP", "X-UID", "Status", "X-Keywords", "Content-Length")), head
        imap.logout()


if __name__ == "__main__":
    main()
    print("mbox_forged: well")
