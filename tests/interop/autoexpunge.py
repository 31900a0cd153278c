#!/usr/bin/env python3
"""mailbox {} sections: auto = no, create and subscribe; autoexpunge and autoexpunge_max_mails, for names and patterns, when a session
or a delivery has ended; another session hears of it; Dovecot sees the same mail afterwards."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import GID, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
BOXES = """
namespace inbox {
  mailbox Made {
    auto = create
  }
  mailbox Watched {
    auto = subscribe
  }
  mailbox Absent {
    auto = no
    autoexpunge = 1s
  }
  mailbox Trash {
    auto = create
    autoexpunge = 1s
  }
  mailbox Lists.* {
    autoexpunge_max_mails = 2
    autoexpunge = 1000d
  }
  mailbox INBOX {
    autoexpunge = 1000d
    autoexpunge_max_mails = 3
  }
}
"""


def count(site, folder):
    return sum(len(os.listdir(f"{site.maildir(USER)}/{folder}{d}")) for d in ("cur", "new"))


def names(imap, what):
    return {line.decode().split('"." ')[1].strip('"') for line in getattr(imap, what)()[1] if line}


with Site({USER: "secret"}, extra=BOXES) as site:
    assert "no effect" not in site.log(), site.log()
    imap = site.imap(USER)
    assert {"Made", "Watched", "Trash", "INBOX"} <= names(imap, "list") and "Absent" not in names(imap, "list")
    assert not any("*" in name for name in names(imap, "list"))
    assert "Watched" in names(imap, "lsub") and "Made" not in names(imap, "lsub")
    for folder in ("Lists.a", "Lists.b"):
        imap.create(folder)
        for n in range(4):
            assert imap.append(folder, None, None, b"Subject: x\r\n\r\nbody\r\n")[0] == "OK"
    assert imap.append("Trash", None, None, b"Subject: old\r\n\r\nbody\r\n")[0] == "OK"
    watcher = site.imap(USER)
    watcher.select("Trash")
    # As long as nobody leaves nothing goes.
    assert count(site, ".Lists.a/") == 4
    imap.logout()
    wait_for(lambda: count(site, ".Lists.a/") == 2 and count(site, ".Lists.b/") == 2, 20)

    def gone():
        site.imap(USER).logout()  # the second of age has to pass, and somebody to leave
        return count(site, ".Trash/") == 0
    wait_for(gone, 20, 0.3)
    watcher.noop()
    assert watcher.response("EXPUNGE")[1] == [b"1"], watcher.untagged_responses
    watcher.logout()
    for n in range(6):
        site.deliver(USER, f"Subject: {n}\r\n\r\nbody\r\n".encode())
    wait_for(lambda: count(site, "") == 3, 20)
    imap = site.imap(USER)
    imap.select("INBOX")
    left = imap.uid("SEARCH", "ALL")[1][0].split()
    assert left == [b"4", b"5", b"6"], left
    imap.logout()
    # Nobody's session: what the administrator asks expunges nothing, and who only looks makes nothing.
    before = count(site, "")
    site.stop()
    for n in range(2):
        path = f"{site.maildir(USER)}/new/{1700000000 + n}.M1P1.elsewhere"
        with open(path, "w") as f:
            f.write("Subject: dropped\n\nbody\n")
        os.chown(path, UID, GID)
    shutil.rmtree(f"{site.maildir(USER)}/.Made")
    subscriptions = site.maildir(USER) + "/subscriptions"
    with open(subscriptions) as f:
        noted = f.read()
    assert "Watched" in noted
    with open(subscriptions, "w") as f:
        f.write(noted.replace("Watched\n", ""))
    for words in (("adopt", "--check"), ("expunge", "--dry-run", "mailbox", "INBOX", "all"), ("release", "--dry-run")):
        done = site.adm(words[0], "-u", USER, *words[1:])
        assert done.returncode == 0, done
        with open(subscriptions) as f:
            assert "Watched" not in f.read() and not os.path.exists(f"{site.maildir(USER)}/.Made"), words
    assert site.adm("search", "-u", USER, "mailbox", "INBOX", "all").returncode == 0
    assert count(site, "") == before + 2
    site.start()
    site.imap(USER).logout()
    wait_for(lambda: count(site, "") == before, 20)
    imap = site.imap(USER)
    imap.select("INBOX")
    left = imap.uid("SEARCH", "ALL")[1][0].split()
    imap.logout()
    site.stop()
    if os.path.exists(PROGRAM):
        other = Stdio(site, "maildir:~/Maildir")
        other.select("INBOX")
        assert other.uid("SEARCH", "ALL")[1][0].split() == left
        other.logout()
