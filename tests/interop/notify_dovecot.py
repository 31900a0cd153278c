#!/usr/bin/env python3
"""NOTIFY beside Debian's Dovecot 2.3: the same events, told by both; what both tell must be the same.

Compared is what the RFC prescribes: EXISTS, EXPUNGE, VANISHED, the FETCH of a new message, MESSAGES, UIDNEXT and UNSEEN of other
mailboxes, name, OLDNAME, \\NonExistent and \\Subscribed of folders. Not played, because Dovecot differs:

 1. Flags of the selected mailbox: "the server MUST notify the client by sending an unsolicited FETCH" (5.1); Dovecot is silent.
 2. HIGHESTMODSEQ is told by us when CONDSTORE is on (5.1), with UIDVALIDITY; by Dovecot always, and without it.
 3. "MUST also be specified" (5): MessageNew without MessageExpunge, FlagChange alone, MailboxName of the selected mailbox; Dovecot
    takes them. BADEVENT "MUST list names of all events supported by the server" (3.1); Dovecot names the one that is not.
 4. "and its direct parent" (5.4): Dovecot tells of the folder only. A level above mailboxes that is renamed: Dovecot is silent.
 5. "SHOULD omit notifying the client if the event is caused by this client" (5): Dovecot tells.
 6. A second NOTIFY SET of a connection often hears nothing of other mailboxes from Dovecot: each has its own here.
 7. "A successful NOTIFY SET command implies an implicit NOOP" (3.1): Dovecot keeps what had come under NOTIFY NONE.
"""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "bench")]
from client import Imap  # noqa: E402
from servers import Dovecot, Roost  # noqa: E402
from testsite import skip  # noqa: E402

BOTH = b"(MessageNew MessageExpunge)"
MAIL = b"Subject: %d\r\n\r\nx\r\n"
SETS = {
    "personal": b"NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge)) (personal (MessageNew MessageExpunge FlagChange "
                b"MailboxName SubscriptionChange))",
    "delayed": b"NOTIFY SET (selected-delayed " + BOTH + b") (mailboxes (other nowhere) " + BOTH + b")",
    "subtree": b"NOTIFY SET (subtree lists " + BOTH + b")",
    "none": b"NOTIFY NONE",
}
SETS["qresync"] = SETS["personal"]
# (who, what): b does it and a listens; an APPEND has its message; SET is a's NOTIFY.
PLAY = [
    ("set", "personal"),
    ("b", "APPEND other"), ("b", "APPEND INBOX"), ("b", "SELECT other"), ("b", "STORE 1 +FLAGS.SILENT (\\Seen)"),
    ("b", "STORE 2 +FLAGS.SILENT (\\Deleted)"), ("b", "EXPUNGE"), ("b", "SELECT INBOX"), ("b", "UID STORE 1 +FLAGS.SILENT (\\Deleted)"),
    ("b", "EXPUNGE"), ("b", "CREATE fresh"), ("b", "SUBSCRIBE fresh"), ("b", "UNSUBSCRIBE fresh"), ("b", "APPEND fresh"),
    ("b", "DELETE fresh"), ("b", "MOVE 1 other"),
    ("set", "subtree"), ("b", "APPEND lists"), ("b", "APPEND lists.a"), ("b", "APPEND other"), ("b", "CREATE lists.new"),
    ("set", "none"), ("b", "APPEND INBOX"), ("b", "APPEND lists"), ("b", "APPEND INBOX"), ("a", "NOOP"),
    ("set", "delayed"), ("b", "SELECT INBOX"), ("b", "STORE 1 +FLAGS.SILENT (\\Deleted)"), ("b", "EXPUNGE"), ("b", "APPEND other"),
    ("b", "APPEND INBOX"), ("a", "NOOP"),
    ("set", "qresync"),
    ("b", "STORE 1 +FLAGS.SILENT (\\Deleted)"), ("b", "EXPUNGE"), ("b", "APPEND other"),
]


def read_for(imap, seconds):
    """What comes, until nothing has come for so long."""
    imap.sock.settimeout(seconds)
    try:
        while True:
            got = imap.sock.recv(65536)
            assert got
            imap.rest += got
    except TimeoutError:
        pass
    imap.sock.settimeout(120)
    lines, imap.rest = imap.rest.split(b"\r\n")[:-1], b""
    return lines


def meaning(line):
    """What is compared of a line; None: nothing."""
    if m := re.match(rb"\* STATUS (\S+) \((.*)\)", line):
        items = dict(zip(m[2].split()[::2], m[2].split()[1::2]))
        return ("STATUS", m[1].strip(b'"'), *((k, items[k]) for k in (b"MESSAGES", b"UIDNEXT") if k in items))
    if m := re.match(rb"\* LIST \((.*?)\) \"\.\" (\S+)", line):
        return ("LIST", m[2].strip(b'"'), b"\\NonExistent" in m[1], b"\\Subscribed" in m[1])
    if m := re.match(rb"\* (\d+) (EXISTS|EXPUNGE)|\* VANISHED (\S+)", line):
        return m.groups()
    if m := re.match(rb"\* (\d+) FETCH \(.*UID (\d+)", line):
        return ("FETCH", m[1], m[2])
    return None


def say(imap, text, number):
    data = MAIL % number if text.startswith("APPEND") else b""
    tag = imap.start([text.encode() + (b" {%d+}\r\n" % len(data) + data if data else b"")])
    answer = imap.finish(tag)[0]
    assert b" OK" in answer[:8], (text, answer)


def play(server):
    told = []
    with server:
        b, a = Imap(server.imap_port, "user0"), None
        for text in ("CREATE other", "CREATE lists", "CREATE lists.a", "APPEND INBOX", "APPEND other"):
            say(b, text, 0)
        for number, (who, what) in enumerate(PLAY):
            if who == "b":
                say(b, what, number)
            elif who == "a":
                a.start([what.encode()])
            else:
                a = Imap(server.imap_port, "user0")
                if what == "qresync":
                    say(a, "ENABLE QRESYNC", 0)
                say(a, "SELECT INBOX", 0)
                a.start([SETS[what]])
            lines = read_for(a, 2.2 if server.name == "dovecot" else 0.3)
            told.append([m for m in map(meaning, lines) if m])
        time.sleep(0.1)
    return told


def main():
    if not os.path.exists("/usr/sbin/dovecot"):
        skip("Dovecot is not installed")
    ours, theirs = play(Roost(1)), play(Dovecot(1))
    wrong = 0
    for (who, what), our, their in zip(PLAY, ours, theirs):
        our = [m for m in our if m != ("LIST", b"lists", False, False)]  # 4
        their = list(dict.fromkeys(their))
        our, their = sorted(map(repr, our)), sorted(map(repr, their))  # of two mailboxes either may come first
        if our != their:
            wrong += 1
            print(f"{who}: {what}\n  Roost   {our}\n  Dovecot {their}")
    print(f"{len(PLAY)} steps, {sum(map(len, ours))} things told, {wrong} differences")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
