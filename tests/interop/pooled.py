#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Pooled workers: users of one uid share a process from the start, or once the service's process_limit is reached."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site  # noqa: E402


def workers(site):
    """(sessions, whose or which tree) of the workers that serve."""
    lines = [line.split() for line in site.adm("status").stdout.splitlines() if line.startswith("worker") and "serving" in line]
    return sorted((int(words[4]), words[-1]) for words in lines)


def test(users, extra):
    with Site({f"user{n}@example.org": "secret" for n in range(users)}, extra=extra) as site:
        for user in site.users:
            site.deliver(user, f"Subject: for {user}\r\n\r\nbody\r\n".encode())
        open_ones = [(user, site.imap(user)) for user in site.users]
        for user, imap in open_ones:
            assert imap.select("INBOX")[1][0] == b"1"
            assert user.encode() in imap.fetch("1", "(BODY.PEEK[])")[1][0][1], user
        found = workers(site)
        user, imap = open_ones[-1]
        site.deliver(user, b"Subject: second\r\n\r\nbody\r\n")
        imap.noop()
        assert imap.response("EXISTS")[1][-1] == b"2"
        for _, imap in open_ones:
            imap.logout()
        return found


found = test(20, "worker_mode = pooled\n")
assert len(found) == 1 and found[0][0] == 20 and found[0][1].endswith("/mail"), found
found = test(3, "worker_mode = pooled\nmail_location = mbox:~/mail:INBOX=~/a/b/inbox\n")
assert [n for n, _ in found] == [3], found
found = test(6, "service imap {\n  process_limit = 2\n}\n")
assert [n for n, _ in found] == [1, 1, 4], found
found = test(3, "worker_mode = single\nservice imap {\n  process_limit = 1\n}\n")
assert [n for n, _ in found] == [1, 1, 1], found
print("pooled: well")
