#!/usr/bin/env python3
"""IMAP settings as Dovecot names them: globally, by protocol, remote and local sections, and by userdb fields; before and
after login. What a list of capabilities leaves out is not served either."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import CONF, Site  # noqa: E402

ANNA, BOB = "anna@example.org", "bob@example.org"
EXTRA = """\
imap_capability = +XALL -COMPRESS=DEFLATE
protocol imap {
  imap_capability = +XIMAP -IDLE -COMPRESS=DEFLATE
  remote 127.0.0.2/32 {
    imap_capability = IMAP4rev1 XLOCAL
    login_greeting = A neighbour.
  }
}
remote 127.0.0.3 {
  imap_id_send = "name Third"
  mail_max_userip_connections = 1
  disable_plaintext_auth = yes
  ssl = required
}
"""


class Talk:
    """One connection, from an address of our choice."""

    def __init__(self, site, source):
        self.sock = socket.create_connection(("127.0.0.1", site.imap_port), 20, (source, 0))
        self.file = self.sock.makefile("rb")
        self.greeting = self.file.readline().decode()
        self.n = 0

    def say(self, text):
        self.n += 1
        self.sock.sendall(f"t{self.n} {text}\r\n".encode())
        lines = []
        while True:
            line = self.file.readline().decode()
            assert line, (text, lines)
            lines.append(line)
            if line.startswith(f"t{self.n} "):
                return lines

    def login(self, user):
        return words(self.say(f'LOGIN {user} secret')[-1])

    def close(self):
        self.file.close()
        self.sock.close()


def words(line):
    """The capabilities in a line, whether in a response code or untagged."""
    return set(line.split("CAPABILITY ", 1)[1].split("]")[0].split()) if "CAPABILITY " in line else set()


def first(site):
    talk = Talk(site, "127.0.0.1")
    before = words(talk.greeting)
    assert "XIMAP" in before and "XALL" not in before and "IDLE" not in before, before
    assert words(talk.say("CAPABILITY")[0]) == before
    after = talk.login(ANNA)
    assert {"XIMAP", "MOVE"} <= after and not {"IDLE", "COMPRESS=DEFLATE"} & after, after
    assert words(talk.say("CAPABILITY")[0]) == after
    assert " BAD " in talk.say("COMPRESS DEFLATE")[-1]
    assert " BAD " in talk.say("IDLE")[-1]
    talk.close()


def by_remote(site):
    talk = Talk(site, "127.0.0.2")
    assert "A neighbour." in talk.greeting, talk.greeting
    assert {"IMAP4rev1", "XLOCAL"} <= words(talk.greeting) and "ID" not in words(talk.greeting)
    assert talk.login(ANNA) == {"IMAP4rev1", "XLOCAL"}
    assert " BAD " in talk.say("NAMESPACE")[-1]
    assert " OK " in talk.say("SELECT INBOX")[-1]
    talk.close()


def by_user(site):
    talk = Talk(site, "127.0.0.1")
    after = talk.login(BOB)
    assert {"COMPRESS=DEFLATE", "IDLE"} <= after and not {"XIMAP", "QRESYNC"} & after, after
    assert talk.say("ENABLE QRESYNC")[0] == "* ENABLED\r\n"
    talk.close()


def third(site):
    talk = Talk(site, "127.0.0.3")
    assert "LOGINDISABLED" in words(talk.greeting), talk.greeting
    assert '"Third"' in talk.say("ID NIL")[0]
    assert " NO " in talk.say(f"LOGIN {ANNA} secret")[-1]
    talk.close()


def limits(site):
    """The userdb gives bob two connections from one address, and no more."""
    one, two, three = (Talk(site, "127.0.0.1") for _ in range(3))
    assert one.login(BOB) and two.login(BOB)
    assert "[LIMIT]" in three.say(f"LOGIN {BOB} secret")[-1]
    for talk in one, two, three:
        talk.close()


def broken_field(site):
    """A field that cannot be is no login, and says why in the log."""
    talk = Talk(site, "127.0.0.1")
    assert " NO " in talk.say("LOGIN carl@example.org secret")[-1]
    talk.close()
    assert "userdb: message_size_max: " in site.log(), site.log()


STATIC = "driver = static\n  args = uid={uid} gid={gid} home={dir}/mail/%d/%n"
FILE = ("driver = passwd-file\n  args = username_format=%u {dir}/users\n"
        "  default_fields = uid={uid} gid={gid} home={dir}/mail/%d/%n")
FIELDS = "secret::::::userdb_"
USERS = {
    ANNA: "secret",
    BOB: FIELDS + "imap_capability=-QRESYNC userdb_mail_max_userip_connections=2",
    "carl@example.org": FIELDS + "message_size_max=much",
}
assert STATIC in CONF
with Site(USERS, EXTRA, CONF.replace(STATIC, FILE)) as site:
    first(site)
    by_remote(site)
    by_user(site)
    third(site)
    limits(site)
    broken_field(site)
print("imap_settings: well")
