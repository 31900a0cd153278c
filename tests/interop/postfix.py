#!/usr/bin/env python3
"""A real Postfix delivers through lmtp:unix: and lmtp:inet:; an unknown user bounces at RCPT; what was sent is what is read."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testpostfix import Postfix  # noqa: E402
from testsite import ROOT, Site, free_ports, messages, need, skip, wait_for  # noqa: E402

USERS = {"anna@example.org": "secret", "bert@inet.example.org": "secret"}

MORE = """\
virtual_mailbox_domains = example.org, inet.example.org
virtual_transport = lmtp:unix:{dir}/lmtp
transport_maps = inline:{{ inet.example.org=lmtp:inet:127.0.0.1:{lmtp_port} }}
"""


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
        with Postfix(q, port, MORE.format(dir=site.dir, lmtp_port=site.lmtp_port)) as postfix:
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
