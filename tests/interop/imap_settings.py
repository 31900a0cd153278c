#!/usr/bin/env python3
"""IMAP settings as Dovecot names them: globally, by protocol, remote and local sections, and by userdb fields; before and
after login. What a list of capabilities leaves out is not served either."""
import glob
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import CONF, Site  # noqa: E402

ANNA, BOB = "anna@example.org", "bob@example.org"
EXTRA = """\
imap_capability = +XALL -COMPRESS=DEFLATE
imap_id_log = name version
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
remote 127.0.0.4 {
  imap_fetch_failure = disconnect-immediately
}
remote 127.0.0.5 {
  imap_fetch_failure = disconnect-after
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


def id_log(site):
    """What the client says of itself, as far as asked, before and after login; control characters cannot forge a line."""
    talk = Talk(site, "127.0.0.1")
    talk.say('ID ("name" "early" "os" "secret")')
    talk.login(ANNA)
    talk.sock.sendall(b'x ID ("NAME" {9+}\r\nla\r\nte\x01er "version" NIL)\r\n')
    while not talk.file.readline().startswith(b"x "):
        pass
    talk.close()
    log = site.log()
    assert "ID sent: name=early: rip=127.0.0.1" in log, log
    assert "os=secret" not in log
    late = [line for line in log.split("\n") if "ID sent: NAME=la" in line]
    assert len(late) == 1 and "version=NIL" in late[0] and "te" in late[0], late


def fetch_failure(site):
    """A message that cannot be read: the others are sent, and then what imap_fetch_failure says."""
    for n in range(3):
        site.deliver(ANNA, f"Subject: {n}\r\n\r\nbody {n}\r\n".encode())
    seen = Talk(site, "127.0.0.1")
    seen.login(ANNA)
    seen.say("SELECT INBOX")
    seen.say("FETCH 1:3 (FLAGS BODY.PEEK[])")
    seen.close()
    where = [path for sub in ("new", "cur") for path in sorted(glob.glob(f"{site.maildir(ANNA)}/{sub}/*"))]
    assert len(where) == 3, where
    os.chmod(where[1], 0)

    def fetch(source):
        talk = Talk(site, source)
        talk.login(ANNA)
        talk.say("SELECT INBOX")
        talk.sock.sendall(b"x FETCH 1:3 (BODY.PEEK[TEXT])\r\ny NOOP\r\n")
        talk.sock.settimeout(5)
        said = b""
        while b"\r\ny OK" not in said and (more := talk.sock.recv(65536)):
            said += more
        talk.close()
        return said

    said = fetch("127.0.0.1")
    assert b"body 0" in said and b"body 2" in said and b"\r\nx NO" in said and b"\r\ny OK" in said, said
    said = fetch("127.0.0.5")
    assert b"body 2" in said and b"\r\nx NO" in said and b"* BYE" in said and b"y OK" not in said, said
    said = fetch("127.0.0.4")
    assert b"body 0" in said and b"body 2" not in said and b"x NO" not in said, said


def unknown_words(site):
    """A word that nobody knows is an error with its place, wherever it stands."""
    path = f"{site.dir}/wrong.conf"
    with open(f"{site.dir}/roost.conf") as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text + "protocol imap {\n  remote 192.0.2.1 {\n    imap_client_workarounds = delay-newmale\n  }\n}\n")
    run = subprocess.run([f"{site.prefix}/sbin/roost", "-n", "-c", path], capture_output=True, text=True)
    line = text.count("\n") + 3
    assert run.returncode != 0
    assert f"{path}:{line}: imap_client_workarounds: unknown word" in run.stdout + run.stderr, (run.stdout, run.stderr)
    assert "delay-newmail" in run.stdout + run.stderr


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
    id_log(site)
    unknown_words(site)
    fetch_failure(site)
    limits(site)
    broken_field(site)
print("imap_settings: well")
