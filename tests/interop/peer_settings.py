#!/usr/bin/env python3
"""Every setting that a remote section may carry, where it is read: two connections to one server, from an address that the
section names and from one that it does not. A setting that is new in the list must be here, too."""
import os
import re
import smtplib
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import TOP, Site, wait_for  # noqa: E402

USER, HERE, THERE = "anna@example.org", "127.0.0.1", "127.0.0.9"
EXTRA = """\
imap_id_log =
remote 127.0.0.9 {
  auth_mechanisms = login
  deliver_log_format = "far delivery %m"
  imap_capability = IMAP4rev1 AUTH=LOGIN IDLE ID UIDPLUS
  imap_client_workarounds = delay-newmail
  imap_id_log = *
  imap_id_send = name Far
  imap_idle_notify_interval = 1 secs
  imap_logout_format = far end %i
  imap_max_line_length = 2 M
  lmtp_add_received_header = no
  lmtp_hdr_delivery_address = none
  lmtp_save_to_detail_mailbox = yes
  login_greeting = Far away.
  login_log_format = far %s
  login_log_format_elements = name=[%u]
  mail_max_userip_connections = 1
  message_size_max = 10 k
  recipient_delimiter = -
  ssl = no
}
remote 127.0.0.8 {
  disable_plaintext_auth = yes
  imap_fetch_failure = disconnect-after
}
"""
# Tested in imap_settings.py; and mailbox_idle_check_interval, which shows only where the kernel cannot watch a folder:
# the dialogue notify_blind, unit/conf_load.
ELSEWHERE = {"disable_plaintext_auth", "imap_fetch_failure", "mailbox_idle_check_interval"}


class Talk:
    def __init__(self, site, source):
        self.sock = socket.create_connection(("127.0.0.1", site.imap_port), 30, (source, 0))
        self.file = self.sock.makefile("rwb")
        self.greeting = self.file.readline().decode()

    def send(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()

    def until(self, tag):
        lines = []
        while not lines or not lines[-1].startswith(tag):
            lines.append(self.file.readline().decode())
            assert lines[-1], (tag, lines)
        return lines

    def say(self, text):
        self.send("x " + text)
        return self.until("x ")

    def login(self):
        assert self.say(f"LOGIN {USER} secret")[-1].startswith("x OK"), USER
        return self

    def authenticate(self):
        """By LOGIN; the tagged answer."""
        self.send("x AUTHENTICATE LOGIN")
        for answer in ("YW5uYUBleGFtcGxlLm9yZw==", "c2VjcmV0"):
            assert self.file.readline().startswith(b"+ ")
            self.send(answer)
        return self.until("x ")[-1]

    def end(self):
        self.say("LOGOUT")
        self.sock.close()


def lmtp(site, source, recipient, message):
    with smtplib.LMTP("127.0.0.1", site.lmtp_port, timeout=60, source_address=(source, 0)) as session:
        session.sendmail("sender@example.net", [recipient], message)


def greetings(site):
    near, far = Talk(site, HERE), Talk(site, THERE)
    assert "Far away." in far.greeting and "Far away." not in near.greeting
    assert "STARTTLS" in near.greeting and "STARTTLS" not in far.greeting
    assert "STARTTLS" not in far.say("CAPABILITY")[0] and far.say("STARTTLS")[-1].startswith("x BAD")
    assert "AUTH=PLAIN" in near.greeting and "AUTH=PLAIN" not in far.greeting
    assert "LOGINDISABLED" not in near.greeting and "LOGINDISABLED" in far.greeting and "AUTH=LOGIN" in far.greeting
    assert far.say(f"LOGIN {USER} secret")[-1].startswith("x NO")
    assert not far.say("AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0")[-1].startswith("x OK")
    assert near.say("AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5vcmcAc2VjcmV0")[-1].startswith("x OK")
    assert '"Far"' in far.say('ID ("name" "distant")')[0]
    assert '"Far"' not in near.say('ID ("name" "close")')[0]
    wait_for(lambda: "name=distant" in site.log())
    assert "name=close" not in site.log()
    near.end()
    far.end()


def sessions(site):
    near, far = Talk(site, HERE).login(), Talk(site, THERE)
    assert "NOTIFY" not in far.authenticate()
    assert "NOTIFY" in near.say("CAPABILITY")[0] and "NOTIFY" not in far.say("CAPABILITY")[0]
    second = Talk(site, THERE)
    refused = second.authenticate()
    assert "[LIMIT]" in refused, refused
    second.sock.close()
    for talk in near, far:
        talk.say("SELECT INBOX")
    late = Talk(site, HERE).login()
    late.say("APPEND INBOX {4+}\r\nA: b")
    assert [line for line in near.say("UID SEARCH ALL") if "EXISTS" in line]
    assert not [line for line in far.say("UID SEARCH ALL") if "EXISTS" in line]
    assert [line for line in far.say("NOOP") if "EXISTS" in line]
    long = "UID FETCH " + ",".join(["1"] * 800000) + " UID"
    assert far.say(long)[-1].startswith("x OK") and near.say(long)[-1].startswith("x BAD")
    big = "APPEND INBOX {20000+}\r\n" + "A: b\r\n" + "x" * 19994
    assert "[TOOBIG]" in far.say(big)[-1] and near.say(big)[-1].startswith("x OK")
    near.send("y IDLE")
    far.send("y IDLE")
    far.until("* OK Still here")
    near.sock.settimeout(1)
    try:
        while "Still here" not in (line := near.file.readline().decode()):
            pass
        raise AssertionError(line)
    except TimeoutError:
        pass
    near.sock.close()
    far.send("DONE")
    far.until("y ")
    far.end()
    late.end()
    log = wait_for(lambda: "far end " in site.log() and site.log())
    assert re.search(r"imap-login: Info: far name=\[anna@example.org\]\n", log), log
    assert re.search(r"imap-login: Info: Login: user=<anna@example.org>", log), log
    assert log.count("far end ") == 1 and " deleted=0 expunged=0" in log


def deliveries(site):
    talk = Talk(site, HERE).login()
    talk.say("CREATE Work")
    talk.say("CREATE Near")
    lmtp(site, HERE, "anna+Work@example.org", b"Subject: near\r\nMessage-ID: <near@x>\r\n\r\n")
    lmtp(site, THERE, "anna-Work@example.org", b"Subject: far\r\nMessage-ID: <far@x>\r\n\r\n")

    def head(box):
        talk.say(f"EXAMINE {box}")
        return "".join(talk.say("FETCH * BODY.PEEK[HEADER]"))

    near, far = head("INBOX"), head("Work")
    assert "Subject: near" in near and "Received: " in near and "Delivered-To: " in near, near
    assert "Subject: far" in far and "Received: " not in far and "Delivered-To: " not in far, far
    assert "far delivery <far@x>" in site.log() and "msgid=<near@x>" in site.log(), site.log()
    lmtp(site, HERE, USER, b"Subject: big\r\n\r\n" + b"x" * 900 + b"\r\n" * 10000)
    try:
        lmtp(site, THERE, USER, b"Subject: big\r\n\r\n" + b"x" * 900 + b"\r\n" * 10000)
        raise AssertionError("message_size_max")
    except (smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as error:
        assert error.smtp_code == 552, error
    talk.end()


with open(f"{TOP}/include/conf/settings.h") as f:
    rows = f.read().split("\n\tX(")[1:]
listed = {re.search(r'"(\w+)"', row)[1] for row in rows if re.search(r"\bPEER\b", row)}
tested = set(re.findall(r"^  (\w+) = ", EXTRA, re.M)) | ELSEWHERE
assert len(listed) > 15 and listed == tested, listed ^ tested
with Site({USER: "secret"}, EXTRA) as site:
    greetings(site)
    sessions(site)
    deliveries(site)
print("peer_settings: well")
