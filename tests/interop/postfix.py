#!/usr/bin/env python3
"""A real Postfix delivers through lmtp:unix: and lmtp:inet:; an unknown user bounces at RCPT; what was sent is what is read."""
import os
import pwd
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import ROOT, Site, free_ports, messages, need, skip, wait_for  # noqa: E402

USERS = {"anna@example.org": "secret", "bert@inet.example.org": "secret"}

MAIN = """\
compatibility_level = 3.6
queue_directory = {q}/queue
data_directory = {q}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {q}/maillog
maillog_file_prefixes = {q}
inet_interfaces = 127.0.0.1
myhostname = mx.example.net
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = example.org, inet.example.org
virtual_transport = lmtp:unix:{dir}/lmtp
transport_maps = inline:{{ inet.example.org=lmtp:inet:127.0.0.1:{lmtp_port} }}
smtpd_recipient_restrictions = permit_mynetworks
message_size_limit = 100000000
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """An instance of its own below directory q."""

    def __init__(self, q, port, main):
        self.q, self.port = q, port
        os.makedirs(f"{q}/conf")
        os.makedirs(f"{q}/queue")
        os.makedirs(f"{q}/data")
        postfix = pwd.getpwnam("postfix")
        os.chown(f"{q}/data", postfix.pw_uid, postfix.pw_gid)
        with open(f"{q}/conf/main.cf", "w") as f:
            f.write(main)
        with open(f"{q}/conf/master.cf", "w") as f:
            f.write(MASTER.format(port=port))

    def run(self, *words):
        return subprocess.run(["postfix", "-c", f"{self.q}/conf", *words], capture_output=True, text=True, timeout=60)

    def __enter__(self):
        done = self.run("start")
        assert done.returncode == 0, done
        return self

    def __exit__(self, *ignored):
        self.run("stop")
        if ignored[0] is not None and os.path.exists(f"{self.q}/maillog"):
            print(open(f"{self.q}/maillog").read()[-6000:])

    def log(self):
        return open(f"{self.q}/maillog").read() if os.path.exists(f"{self.q}/maillog") else ""


def body(number):
    return (f"From: a@example.net\r\nTo: b\r\nSubject: number {number}\r\n\r\n"
            f"line one\r\n.leading dot\r\n..two\r\n\r\n8-bit: ä {number}\r\n").encode()


def main():
    need("postfix", "openssl")
    if not ROOT:
        skip("Postfix starts only as root")
    with Site(USERS) as site:
        port, = free_ports(1)
        q = f"{site.dir}/postfix"
        os.mkdir(q)
        with Postfix(q, port, MAIN.format(q=q, dir=site.dir, lmtp_port=site.lmtp_port)) as postfix:
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
                for number in range(20):
                    smtp.sendmail("a@example.net", list(USERS), body(number), mail_options=["BODY=8BITMIME"])
                smtp.sendmail("a@example.net", ["nobody@example.org"], body(99), mail_options=["BODY=8BITMIME"])
            for user in USERS:
                imap = site.imap(user)

                def arrived():
                    return imap.select("INBOX")[1][0] == b"20"
                wait_for(arrived, 30, 0.2)
                found = [text for _, text in messages(imap)]
                for number in range(20):
                    want = body(number).split(b"\r\n\r\n", 1)[1]
                    assert sum(text.endswith(b"\r\n\r\n" + want) for text in found) == 1, (user, number)
                for text in found:
                    assert text.startswith(b"Return-Path: <a@example.net>\r\nDelivered-To: "), text[:200]
                imap.logout()
            wait_for(lambda: "550 5.1.1" in postfix.log(), 20)


if __name__ == "__main__":
    main()
    print("postfix: well")
