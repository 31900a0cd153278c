#!/usr/bin/env python3
"""Namespaces beside Dovecot 2.3: one configuration file, one set of directories, and both say the same of them.

Each case is a set of namespaces and what lies in the directories before. LIST in its forms, LSUB, NAMESPACE and STATUS are
asked of both, before and after Roost and Dovecot changed subscriptions and folders.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import CONF, GID, ROOT, UID, Site, skip  # noqa: E402

DOVECOT = "/usr/lib/dovecot/imap"
USER = "anna@example.org"
ASKED = [
    'NAMESPACE',
    'LIST "" "*"', 'LIST "" "%"', 'LIST "" "%/%"', 'LIST "" "%.%"', 'LIST "" ""', 'LIST "INBOX." "%"', 'LIST "Public/" "%"', 'LIST "" "Public"',
    'LIST "" "Public/%"', 'LIST "" "INBOX*"', 'LIST (SUBSCRIBED) "" "*"', 'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', 'LIST "" "*" RETURN (SUBSCRIBED)',
    'LIST "" ("Old/*" "%") RETURN (CHILDREN)', 'LIST "" "Old/%"', 'LIST "" "Old*"', 'LIST (SPECIAL-USE) "" "*"', 'LIST "" "Hid/*"', 'LIST "" "~*"', 'LIST "" "mail/*"',
    'LSUB "" "*"', 'LSUB "" "%"', 'LSUB "" "Old/%"', 'LSUB "" "Public/*"', 'LSUB "INBOX." "*"', 'LSUB "" "mail/*"',
    'STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY)', 'STATUS Old/a (MESSAGES UIDNEXT UIDVALIDITY)', 'STATUS INBOX.a (MESSAGES)',
    'STATUS Public/a (MESSAGES UIDNEXT)', 'STATUS mail/a (MESSAGES UIDVALIDITY)', 'STATUS Public (MESSAGES)', 'STATUS Hid/a (MESSAGES)',
]


class Session:
    """One IMAP session on a stream."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.reader.readline()

    def why(self):
        return ""

    def say(self, line, literal=None):
        """Tagged status, sorted untagged lines."""
        self.writer.write(b"t " + line.encode() + b"\r\n")
        self.writer.flush()
        lines = []
        while True:
            got = self.reader.readline().decode("latin-1")
            assert got, (line, lines, self.why())
            if got.startswith("+ "):
                self.writer.write(literal + b"\r\n")
                self.writer.flush()
            elif got.startswith("t "):
                return " ".join(got.split()[1:2]), got.strip(), sorted(lines)
            else:
                lines.append(got.strip())


def plain(line, question):
    """A response without what may differ: \\Marked, quotes; attributes that were not asked for; how LSUB calls what is not there."""
    line = line.replace('"', "")
    match = re.match(r"(\* (?:LIST|LSUB) )\(([^)]*)\)(.*)", line)
    if not match:
        return line
    words = {"\\Noselect" if word == "\\NonExistent" else word for word in match[2].split()} - {"\\Marked", "\\UnMarked"}
    if question.startswith("LSUB"):
        words = set()
    words = {"\\Noinferiors" if word == "\\NoInferiors" else word for word in words}
    if match[3].split()[-1] in ("Old", "Public"):
        words -= {"\\Noselect"}
    if "(" in question:
        words &= {"\\Noselect"} | ({"\\Subscribed"} if "SUBSCRIBED" in question else set())
    if "RECURSIVEMATCH" in question:
        words = set()
    return match[1] + "(" + " ".join(sorted(words)) + ")" + match[3].replace(" (CHILDINFO (SPECIAL-USE))", "")


def ask(session, questions=ASKED):
    answers = {}
    for line in questions:
        status, _, lines = session.say(line)
        answers[line] = status, sorted({plain(x, line) for x in lines})
    return answers


class Dovecot(Session):
    def __init__(self, site, user=USER, ids=None):
        home = site.home(user)
        os.makedirs(home, exist_ok=True)
        self.configure(site)
        # What it remembers of lists does not see changes of the same second.
        for top, _, files in os.walk(f"{site.dir}/mail"):
            for name in files:
                if name.startswith("dovecot.list.index"):
                    os.remove(f"{top}/{name}")
        argv = [DOVECOT, "-c", f"{site.dir}/dovecot.conf"]
        for word in ("log_path=/dev/stderr", "stats_writer_socket_path=", f"base_dir={site.dir}/dc", "auth_socket_path=/nowhere"):
            argv += ["-o", word]
        self.log = f"{site.dir}/dovecot.log"
        uid, gid, groups = ids or (UID, GID, [])
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(f"{site.dir}/dovecot.log", "ab"), cwd="/",
            env={"HOME": home, "USER": user, "PATH": os.environ["PATH"]},
            **({"user": uid, "group": gid, "extra_groups": groups} if ROOT else {}))
        super().__init__(self.process.stdout, self.process.stdin)

    def why(self):
        with open(self.log) as f:
            return f.read()

    @staticmethod
    def configure(site):
        """The same file but for the keys, which a user cannot read, and a time that Dovecot cannot."""
        with open(f"{site.dir}/roost.conf") as f:
            lines = [line for line in f if not line.startswith(("ssl", "auth_failure_delay"))]
        with open(f"{site.dir}/dovecot.conf", "w") as f:
            f.writelines(lines)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Roost(Session):
    def __init__(self, site, user=USER):
        self.imap = site.imap(user)
        file = self.imap.sock.makefile("rwb")
        self.reader = self.writer = file

    def close(self):
        self.say("LOGOUT")
        self.reader.close()
        self.imap.sock.close()


def conf(namespaces, location="maildir:~/Maildir"):
    start, end = CONF.index("namespace inbox"), CONF.index("passdb")
    text = CONF[:start] + namespaces.replace("{", "{{").replace("}", "}}") + "\n" + CONF[end:]
    return text.replace("maildir:~/Maildir", location)


def maildir(path, messages=0):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{path}/{sub}", exist_ok=True)
    for n in range(messages):
        with open(f"{path}/cur/12000000{n:02d}.M{n}P1.host,S=15,W=18:2,", "w") as f:
            f.write(f"Subject: {n:02d}\n\nx\n")


def mbox(path):
    with open(path, "w") as f:
        f.write("From a@b Thu Jan  1 00:00:00 2009\nSubject: x\n\nx\n")


def own(path):
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", path], check=True)


def differences(ours, theirs, allowed):
    found = []
    for line, answer in ours.items():
        if answer != theirs[line] and line not in allowed:
            found.append(f"  {line}: roost {answer[0]}, dovecot {theirs[line][0]}")
            found += [f"    roost:   {x}" for x in answer[1] if x not in theirs[line][1]]
            found += [f"    dovecot: {x}" for x in theirs[line][1] if x not in answer[1]]
    return found


def compare(site, when, allowed):
    roost = Roost(site)
    ours = ask(roost)
    roost.close()
    dovecot = Dovecot(site)
    theirs = ask(dovecot)
    dovecot.close()
    found = differences(ours, theirs, allowed)
    if found:
        print(f"{when}:\n" + "\n".join(found))
    return found


def run(name, namespaces, fill, changes=(), location="maildir:~/Maildir", allowed=()):
    with Site({USER: "secret"}, conf=conf(namespaces, location), start=False) as site:
        os.makedirs(site.home(USER))
        fill(site.home(USER))
        own(f"{site.dir}/mail")
        site.start()
        found = compare(site, f"{name}, at first", allowed)
        for change in changes:
            roost = Roost(site)
            ours = roost.say(change)
            roost.close()
            found += compare(site, f"{name}, after {change}: {ours[1]}", allowed)
        return found


def tree(layout):
    def fill(home):
        sep = "/" if layout == "fs" else "."
        dot = "" if layout == "fs" else "."
        for root in ("Maildir", "Archive", "Third"):
            if root == "Maildir":
                maildir(f"{home}/{root}", 2)
            for folder in ("a", f"a{sep}b", f"deep{sep}er{sep}x", "INBOX" if root != "Maildir" else "z"):
                maildir(f"{home}/{root}/{dot}{folder}", 1)
    return fill


CASES = [
    ("one", "namespace inbox {\n inbox = yes\n}\n", tree("pp"), ("SUBSCRIBE a.b", "DELETE a", "SUBSCRIBE nowhere", "RENAME z zz.y")),
    ("slash", "namespace inbox {\n inbox = yes\n separator = /\n mailbox a {\n special_use = \\Sent\n }\n}\n", tree("pp"), ("SUBSCRIBE a/b", "DELETE a/b", "CREATE n/m")),
    ("fs", "namespace inbox {\n inbox = yes\n}\n", tree("fs"), ("SUBSCRIBE a/b", "DELETE a", "CREATE n/m", "RENAME deep Old"), "maildir:~/Maildir:LAYOUT=fs"),
    ("courier", "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\n", tree("pp"),
     ("SUBSCRIBE INBOX.a.b", "DELETE INBOX.a", "CREATE INBOX.n.m", "SUBSCRIBE INBOX")),
    ("two", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = maildir:~/Archive\n mailbox a {\n special_use = \\Archive\n }\n}\n",
     tree("pp"), ("SUBSCRIBE Old/a", "SUBSCRIBE a/b", "DELETE Old/a/b", "CREATE Old/n/m", "RENAME Old/a Old/c", "UNSUBSCRIBE Old/a")),
    ("two-fs", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = maildir:~/Archive:LAYOUT=fs\n}\n",
     lambda home: (tree("fs")(home), tree("pp")(home)), ("SUBSCRIBE Old/a", "CREATE Old/n/m")),
    ("children", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = maildir:~/Archive\n list = children\n}\n"
     "namespace third {\n prefix = Public/\n separator = /\n location = maildir:~/Empty\n list = children\n}\n", tree("pp"), ("SUBSCRIBE Old/a",)),
    ("empty", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace third {\n prefix = Public/\n separator = /\n location = maildir:~/Empty\n}\n", tree("pp"), ("CREATE Public/a",)),
    ("hidden", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Hid/\n separator = /\n location = maildir:~/Archive\n hidden = yes\n list = no\n}\n",
     tree("pp"), ("SUBSCRIBE Hid/a", "CREATE Hid/n")),
    ("alias", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace compat {\n prefix = mail/\n separator = /\n hidden = yes\n list = no\n alias_for =\n}\n",
     tree("pp"), ("SUBSCRIBE mail/a", "CREATE mail/n")),
    ("nosubs", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = maildir:~/Archive\n subscriptions = no\n}\n",
     tree("pp"), ("SUBSCRIBE Old/a", "SUBSCRIBE a", "UNSUBSCRIBE Old/a"), "maildir:~/Maildir"),
    ("auto", "namespace inbox {\n inbox = yes\n separator = /\n mailbox Drafts {\n special_use = \\Drafts\n auto = create\n }\n mailbox Sent {\n"
     " special_use = \\Sent\n auto = subscribe\n }\n mailbox Deep/er {\n auto = subscribe\n }\n mailbox Junk {\n special_use = \\Junk\n }\n}\n",
     tree("pp"), ("CREATE Junk",)),
    ("auto-elsewhere", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = maildir:~/Archive\n"
     " subscriptions = no\n mailbox a {\n auto = create\n }\n mailbox new {\n auto = subscribe\n special_use = \\Archive\n }\n}\n", tree("pp"), ("SUBSCRIBE Old/a",)),
    ("odd-fs", "namespace inbox {\n inbox = yes\n}\n", tree("fs"),
     ("CREATE cur", "CREATE a/new", "CREATE tmp/x", "CREATE dovecot-uidlist", "CREATE &BB8EQAQ4-", "CREATE a/&AOQ-", "CREATE ..", "CREATE a/../x", "CREATE .dot", "CREATE a//b"),
     "maildir:~/Maildir:LAYOUT=fs"),
    ("utf8-fs", "namespace inbox {\n inbox = yes\n}\n", tree("fs"), ("CREATE &BB8EQAQ4-", "SUBSCRIBE &BB8EQAQ4-", "RENAME &BB8EQAQ4- a/&AOQ-"), "maildir:~/Maildir:LAYOUT=fs:UTF-8"),
    ("utf8", "namespace inbox {\n inbox = yes\n}\n", tree("pp"), ("CREATE &BB8EQAQ4-", "SUBSCRIBE &BB8EQAQ4-", "CREATE x.&AOQ-.y"), "maildir:~/Maildir:UTF-8"),
    ("no-noselect", "namespace inbox {\n inbox = yes\n}\n", tree("fs"), ("CREATE n/m/o", "DELETE n/m/o", "DELETE a", "DELETE a/b", "DELETE deep/er/x"),
     "maildir:~/Maildir:LAYOUT=fs:NO-NOSELECT"),
    ("boxdir", "namespace inbox {\n inbox = yes\n}\n", lambda home: None, ("CREATE a/b", "SUBSCRIBE a/b", "RENAME a c"),
     "maildir:~/Maildir:LAYOUT=fs:MAILBOXDIR=boxes:VOLATILEDIR=~/volatile"),
    ("courier-two", "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\nnamespace old {\n prefix = Old.\n separator = .\n location = maildir:~/Archive\n}\n",
     tree("pp"), ("SUBSCRIBE Old.a", "SUBSCRIBE INBOX.a.b")),
    ("mbox", "namespace inbox {\n inbox = yes\n separator = /\n}\nnamespace old {\n prefix = Old/\n separator = /\n location = mbox:~/mail\n}\n",
     lambda home: (tree("pp")(home), os.makedirs(f"{home}/mail/deep"), mbox(f"{home}/mail/a"), mbox(f"{home}/mail/deep/x")), ("SUBSCRIBE Old/a", "CREATE Old/n/m")),
]


def main():
    if not os.path.exists(DOVECOT):
        skip("Dovecot is not installed")
    wanted = sys.argv[1:]
    found = []
    for case in CASES:
        if not wanted or case[0] in wanted:
            found += run(*case)
    assert not found, f"{len(found)} differences"
    print("namespaces: well")


if __name__ == "__main__":
    main()
