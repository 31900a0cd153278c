#!/usr/bin/env python3
"""Courier's folders, taken over at the first opening: UIDVALIDITY, UIDs, keywords, subscriptions; what is Courier's stays as it
is; Dovecot sees what we see. The files below are as Courier 5.0.13 writes them.

With ROOST_COURIER naming a directory into which the packages courier-imap, courier-base, courier-authlib, libcourier-unicode4 and libgamin0
were unpacked (dpkg-deb -x; courier-imap cannot be installed beside dovecot-imapd) the real one makes the folders, and takes them back."""
import imaplib
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib")
from testalternate import PROGRAM, Stdio  # noqa: E402
from testsite import GID, ROOT, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
COURIER = os.environ.get("ROOST_COURIER")
NAMES = [f"1795326548.M7483{n}5P26657V000000000000FE00I0000000000AB104{n}_{n}.vm,S=17" for n in range(5)]
FILES = {
    "courierimapsubscribed": "INBOX.Sent\nINBOX.Lists.deep\nINBOX\nINBOX.Entw&APw-rfe\nINBOX.Gelöscht\nshared.other\n",
    # Not in the order of the UIDs, and with one that is gone.
    "courierimapuiddb": f"1 795326548 900\n7 {NAMES[1]}\n3 {NAMES[0]}\n20 {NAMES[2]}\n21 1795326549.gone.vm,S=1\n",
    "courierimapkeywords/:list": f"third\n$Label1\nunused\n\n{NAMES[0]}:1 0\n{NAMES[1]}:0\n{NAMES[2]}:1\n",
    # Newer than the list, the second of two newer still; an empty one takes all away.
    f"courierimapkeywords/.5984421.{NAMES[1]}": "never\n",
    f"courierimapkeywords/.5984422.{NAMES[1]}": "hello\n$Label1\n",
    f"courierimapkeywords/.5984422.{NAMES[2]}": "",
    f"courierimapkeywords/{NAMES[3]}": "new\n",
    "courierimaphieracl/Lists": "owner aceilrstwx\n",
    "courierimapacl": "owner aceilrstwx\nadministrators aceilrstwx\n",
    f"cur/{NAMES[0]}:2,S": "Subject: 0\n\nbody\n",
    f"cur/{NAMES[1]}:2,": "Subject: 1\n\nbody\n",
    f"cur/{NAMES[2]}:2,RS": "Subject: 2\n\nbody\n",
    f"new/{NAMES[3]}": "Subject: 3\n\nbody\n",
    f"new/{NAMES[4]}": "Subject: 4\n\nbody\n",
    ".Sent/courierimapuiddb": "1 795326548 3\n",
    ".Sent/maildirfolder": "",
    ".Lists.deep/maildirfolder": "",
}
STATE = {3: {"\\Seen", "$Label1", "third"}, 7: {"hello", "$Label1"}, 20: {"\\Answered", "\\Seen"}, 900: {"new"}, 901: set()}


def own(path):
    for where, _, names in os.walk(path):
        for name in [".", *names]:
            if ROOT:
                os.chown(f"{where}/{name}", UID, GID)


def lay(root, files):
    for folder in ("", ".Sent/", ".Lists.deep/"):
        for d in ("cur", "new", "tmp"):
            os.makedirs(f"{root}/{folder}{d}")
    for name, text in files.items():
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        with open(f"{root}/{name}", "w") as f:
            f.write(text)


def couriers(root):
    """Courier's own files, byte for byte."""
    found = {}
    for where, _, names in os.walk(root):
        for name in names:
            if "courier" in where[len(root):] or name.startswith("courier") or name == "maildirfolder":
                found[f"{where}/{name}"] = open(f"{where}/{name}", "rb").read()
    return found


def messages(imap, box):
    """UIDVALIDITY, {uid: flags}"""
    assert imap.select(f'"{box}"')[0] == "OK"
    validity = int(imap.response("UIDVALIDITY")[1][0])
    found = {}
    for line in imap.fetch("1:*", "(UID FLAGS)")[1]:
        if line:
            text = line.decode()
            flags = set(re.search(r"FLAGS \(([^)]*)\)", text)[1].split()) - {"\\Recent"}
            found[int(re.search(r"UID (\d+)", text)[1])] = flags
    return validity, found


def subscribed(imap):
    return {line.decode().split('"." ')[1].strip('"') for line in imap.lsub()[1] if line}


def laid():
    with Site({USER: "secret"}) as site:
        root = site.maildir(USER)
        lay(root, FILES)
        own(site.home(USER))
        before = couriers(root)
        imap = site.imap(USER)
        assert {"INBOX", "Sent", "Lists.deep", "Entw&APw-rfe", "Gel&APY-scht", "Drafts"} == subscribed(imap), subscribed(imap)
        assert messages(imap, "INBOX") == (795326548, STATE), messages(imap, "INBOX")
        assert messages(imap, "Sent") == (795326548, {})
        assert imap.append("Sent", None, None, b"Subject: x\r\n\r\nbody\r\n")[0] == "OK"
        assert messages(imap, "Sent") == (795326548, {3: set()})
        assert messages(imap, "Lists.deep")[0] > 795326548
        imap.unsubscribe("Sent")
        imap.logout()
        assert couriers(root).items() >= before.items()
        site.stop()
        if os.path.exists(PROGRAM):
            other = Stdio(site, "maildir:~/Maildir")
            assert messages(other, "INBOX") == (795326548, STATE)
            other.logout()
        # Served by us since: Courier's list is out of date, whatever happens to ours.
        os.unlink(f"{root}/dovecot-uidlist")
        shutil.rmtree(f"{root}/roost.index")
        site.start()
        imap = site.imap(USER)
        validity, found = messages(imap, "INBOX")
        assert validity > 795326548 and len(found) == 5, (validity, found)
        assert "Sent" not in subscribed(imap)
        imap.logout()


def broken():
    """Files that are something else: as if there were none, and nothing breaks."""
    for text in ("", "2 5 6\n", "1 0 0\n", "x\n", "1 5\n", "1 5 6", "\0" * 5000):
        with Site({USER: "secret"}) as site:
            root = site.maildir(USER)
            bad = dict.fromkeys(("courierimapuiddb", "courierimapsubscribed", "courierimapkeywords/:list",
                                 "courierimapkeywords/x", "courierimapkeywords/.x", "courierimapkeywords/.5."), text)
            lay(root, {**bad, f"cur/{NAMES[0]}:2,S": "Subject: 0\n\nbody\n"})
            own(site.home(USER))
            imap = site.imap(USER)
            assert messages(imap, "INBOX")[1] == {1: {"\\Seen"}}
            imap.logout()


class Courier(imaplib.IMAP4_stream):
    """The real imapd on a pair of pipes."""

    def __init__(self, root):
        self._root = root
        super().__init__("courier")
        self.state = "AUTH"  # the greeting begins with a complaint that there is no FAM

    def open(self, host=None, port=None, timeout=None):
        ids = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        libs = ":".join(f"{COURIER}/usr/lib{d}" for d in ("", "/x86_64-linux-gnu", "/courier-authlib"))
        env = {"AUTHENTICATED": "anna", "MAILDIR": self._root, "TCPREMOTEIP": "127.0.0.1", "IMAP_KEYWORDS": "1", "IMAP_USELOCKS": "0",
               "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS", "HOME": self._root, "LD_LIBRARY_PATH": libs, "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen([f"{COURIER}/usr/bin/imapd", self._root], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", **ids)
        self.writefile, self.readfile = self.process.stdin, self.process.stdout
        self.sock = self.host = self.port = None

    def shutdown(self):
        self.writefile.close()
        self.process.wait(20)
        self.readfile.close()


def real():
    with Site({USER: "secret"}) as site:
        root = site.maildir(USER)
        for d in ("cur", "new", "tmp"):
            os.makedirs(f"{root}/{d}")
        own(site.home(USER))
        os.chmod(f"{site.dir}/mail", 0o755)
        os.chown(os.path.dirname(site.home(USER)), UID, GID)
        courier = Courier(root)
        for box in ("INBOX.Sent", "INBOX.Lists.deep"):
            courier.create(box)
            courier.subscribe(box)
        courier.select("INBOX")
        for n, flags in ((1, "($Label1 hello \\Seen)"), (2, "(hello)"), (3, None), (4, "(\\Flagged)")):
            assert courier.append("INBOX", flags, None, f"Subject: {n}\r\n\r\nbody\r\n".encode())[0] == "OK"
        courier.noop()
        courier.store("3", "+FLAGS", "(third \\Answered)")
        courier.store("1", "-FLAGS", "(hello)")
        courier.copy("1:2", "INBOX.Sent")
        courier.store("2", "+FLAGS", "\\Deleted")
        courier.expunge()
        theirs = {box: messages(courier, f"INBOX{box}") for box in ("", ".Sent", ".Lists.deep")}
        courier.logout()
        imap = site.imap(USER)
        for box, state in theirs.items():
            assert messages(imap, box[1:] or "INBOX") == state, (box, state, messages(imap, box[1:] or "INBOX"))
        assert {"Sent", "Lists.deep", "Drafts"} == subscribed(imap)
        imap.select("INBOX")
        imap.uid("STORE", "1", "+FLAGS", "(\\Flagged $Mine)")
        imap.uid("STORE", "1", "-FLAGS", "(\\Seen)")
        wait_for(lambda: any(re.search(r":2,F[a-z]+$", name) for name in os.listdir(f"{root}/cur")))
        imap.logout()
        site.stop()
        courier = Courier(root)  # and back: its UIDs and keywords, our flags
        validity, state = theirs[""]
        state[1] = state[1] - {"\\Seen"} | {"\\Flagged"}
        assert messages(courier, "INBOX") == (validity, state), (messages(courier, "INBOX"), state)
        assert messages(courier, "INBOX.Sent") == theirs[".Sent"]
        courier.logout()


laid()
broken()
if COURIER:
    real()
