#!/usr/bin/env python3
"""Where the index may lie: in memory, and elsewhere when its own place cannot be written."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import Site  # noqa: E402

USER = "anna@example.org"


def serves(extra):
    """The log of a server that delivered and showed one message."""
    with Site({USER: "secret"}, extra=extra) as site:
        site.deliver(USER, b"Subject: x\r\n\r\nbody\r\n")
        imap = site.imap(USER)
        assert imap.select("INBOX") == ("OK", [b"1"])
        imap.logout()
        assert "roost.index" not in os.listdir(f"{site.home(USER)}/Maildir")
        return site.log()


serves("mail_location = maildir:~/Maildir:INDEX=MEMORY\n")
with tempfile.TemporaryDirectory(prefix="roost-places-") as top:
    os.chmod(top, 0o755)
    os.mkdir(f"{top}/closed", 0o755)
    os.mkdir(f"{top}/local")
    os.chmod(f"{top}/local", 0o777)
    if os.geteuid() != 0:
        os.chmod(f"{top}/closed", 0o555)
    log = serves(f"mail_location = maildir:~/Maildir:INDEX={top}/closed/%u\nmail_index_fallback = {top}/local/%u\n")
    assert os.path.exists(f"{top}/local/{USER}/data.mdb")
    assert log.count("mail_index_fallback is used") == 1, log
print("index_places: well")
