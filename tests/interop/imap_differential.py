#!/usr/bin/env python3
# Also runs against the sanitize build.
"""The same commands to Roost and to Debian's Dovecot 2.3 on the same mail: both must mean the same.

Random commands from a seed: one session, then two interleaved ones. What is compared is the meaning: answers parsed,
order free where it is free, UIDVALIDITYs by equality. After each command the client's picture of the mailbox (numbers,
flags) is compared too, and from time to time checked against what FETCH says: announcements must add up to the truth.

Usage: imap_differential.py [SEED [STEPS]]

Differences that are meant, each with the sentence that allows or asks for it:

 1. FETCH, COPY, MOVE of a message that is gone. RFC 2180 4.1.2: the server may "return a tagged NO"; Dovecot does it at
    times where nothing is gone. The play ends there, as where Dovecot's process ends.
 2. Response codes of NO beyond TRYCREATE (RFC 5530: they are information), and all human texts.
 3. \\Recent of a message that came while two sessions look. RFC 3501 2.3.2: "If it is not possible to determine whether
    or not this session is the first session to be notified about a message, then that message SHOULD be considered
    recent." Compared with one session only.
 4. STATUS of the selected mailbox counts what has not been announced yet, or not. RFC 3501 6.3.10: it "SHOULD NOT be
    used on the currently selected mailbox". Compared after a NOOP.
 5. \\Marked, \\UnMarked in LIST. RFC 3501 7.2.2: "If it is not feasible for the server to determine ... the server SHOULD
    NOT send either"; Dovecot says \\UnMarked of folders into which other programs deliver.
 6. Attributes in LSUB: we say what LIST says, and \\NonExistent of a subscribed mailbox that is gone (RFC 5258 3.4), as
    clients want it; Dovecot says them only when told to. The names are compared.
 7. STORE, EXPUNGE, MOVE with EXAMINE. RFC 3501 6.3.2: "No changes to the permanent state of the mailbox ... are permitted".
    We say NO; Dovecot says OK and does nothing, but for MOVE, which it does: not played.
 8. BODY[section] of a part that is not there. RFC 3501 4.4: "NIL, which represents the non-existence of a particular data
    item that is represented as a string ..., as distinct from the empty string". We say NIL, Dovecot {0}.
 9. A separator at the end of a name. RFC 3501 6.3.3 has it for CREATE only, Dovecot says NO to other commands;
    we take it everywhere (Thunderbird adds it). Not played here.
10. RENAME of INBOX works as RFC 3501 6.3.5 has it; Dovecot's Maildir++ refuses it. LSUB "" "" answers as LIST does.
    Not played here.
11. SUBSCRIBE of a mailbox that does not exist. RFC 3501 6.3.6: "A server MAY validate the mailbox argument"; we do not.
    Not played.
12. BODY[1.1] of a leaf in a multipart. RFC 3501 6.4.5: only "non-multipart messages ... have a part 1"; Dovecot takes a
    leaf for its own part 1.
13. HEADER.FIELDS of a message without a blank line. RFC 3501 6.4.5: "the blank line is included in all header fetches,
    except in the case of a message which has no body and no blank line". Dovecot adds one to subsets.
14. The line end before a boundary belongs to the boundary (RFC 2046 5.1.1), also behind a nested multipart's end; Dovecot
    counts it to the nested part. Not played: the mail has an epilogue there.
15. Keywords in FLAGS and PERMANENTFLAGS: Dovecot names a keyword once a STORE mentioned it, even one that takes it away.
    Whether all flags in FETCH have been in FLAGS is checked for both.
16. SENTBEFORE and messages without Date. RFC 3501 6.4.4: "messages whose Date: header ... is earlier"; for Dovecot they are
    from 1970. Played with messages that have one.
17. "*" in an empty mailbox. RFC 3501 9: "should respond with a tagged BAD", which Dovecot does; we say OK, as clients ask
    for 1:* without looking.
18. COPY and MOVE of no messages to a mailbox that does not exist. RFC 3501 6.4.7: "If the destination mailbox does not exist,
    a server SHOULD return an error"; Dovecot finds nothing to do.
19. RENAME or DELETE of a selected mailbox: Dovecot ends the session ("session state is inconsistent") or goes on in the old
    folder. The dialogues have what we do.
    Nor is DELETE of Drafts, which Dovecot makes again when it is next named (auto = subscribe), we at the next login.
20. RENAME of a \\Noselect name to one that exists. RFC 3501 6.3.5: "It is an error to attempt to rename ... to a mailbox name
    that already exists"; Dovecot moves what is below. DELETE of one: not played either.
21. SEARCH BODY looks into the headers of embedded messages and parts too: RFC 3501 6.4.4 "in the body of the message";
    Dovecot does not. Played with words that are not in them.
22. Levels that are no mailboxes. RFC 3501 6.3.8 wants them with \\Noselect where "%" is the last character; we show them with
    "*" too. Dovecot runs without its index of folders, which forgets some (and shows these levels).
23. NOT of several sizes. RFC 3501 6.4.4: "A search key can also be a parenthesized list of one or more search keys (e.g., for use
    with the OR and NOT keys)"; of (NOT (LARGER 1000 LARGER 19)) Dovecot keeps but one of the two. Not compared.
24. OR of two flags that are not set. RFC 3501 6.4.4: "Messages that match either search key"; of OR UNSEEN UNANSWERED Dovecot keeps
    but one of the two. Not compared.
"""
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, skip  # noqa: E402

USER = "anna@example.org"
PROGRAM = "/usr/lib/dovecot/imap"
SECONDS = 9 if len(sys.argv) < 3 else 3600  # of each of the two parts


# ---- responses ------------------------------------------------------------------------------------------------------

class Str(bytes):
    """A quoted string or literal, which an atom is not."""


def tokens(data):
    """The tree of one response: lists, atoms as str, strings as Str. The text behind a code is left out."""
    at = 0
    stack = [[]]
    while at < len(data):
        c = data[at:at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            stack.append([])
            at += 1
        elif c == b")":
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif c == b'"':
            m = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"').match(data, at)
            assert m, ("bad quoted string", data)
            stack[-1].append(Str(re.sub(rb"\\(.)", rb"\1", m[1])))
            at = m.end()
        elif c == b"{":
            m = re.compile(rb"\{(\d+)\}\r\n").match(data, at)
            assert m, ("bad literal", data)
            at = m.end() + int(m[1])
            stack[-1].append(Str(data[m.end():at]))
        else:
            m = re.compile(rb"[A-Z.0-9]*\[[^\]]*\](?:<\d+>)?|[^ ()\"{]+").match(data, at)
            stack[-1].append(m[0].decode())
            at = m.end()
    assert len(stack) == 1, ("parentheses", data)
    return stack[0]


class Ended(Exception):
    pass


class Conn:
    """A connection: sends commands, gives whole responses."""

    def __init__(self, read, write, log):
        self.read, self.write, self.log = read, write, log

    def response(self):
        data = b""
        while True:
            line = self.read.readline()
            if not line.endswith(b"\r\n"):
                raise Ended(self)
            data += line
            m = re.search(rb"\{(\d+)\}\r\n$", line)
            if not m:
                self.log.append(data)
                return data[:-2]
            data += self.read.read(int(m[1]))

    def send(self, data):
        self.log.append(data)
        self.write.write(data)
        self.write.flush()

    def run(self, tag, parts):
        """Parts: bytes; after each but the last a literal follows. A str instead is a literal: "+..." not synchronising."""
        answers = []
        line = tag.encode() + b" "
        for part in parts:
            if isinstance(part, bytes):
                line += part
                continue
            text = part[1:].encode("latin-1")
            self.send(line + b"{%d%s}\r\n" % (len(text), b"+" if part[0] == "+" else b""))
            if part[0] != "+":
                answer = self.response()
                while answer.startswith(b"* "):
                    answers.append(answer)
                    answer = self.response()
                if not answer.startswith(b"+ "):
                    return answers, answer
            line = text
        self.send(line + b"\r\n")
        while True:
            answer = self.response()
            if answer.startswith(b"* "):
                answers.append(answer)
            else:
                assert answer.startswith(tag.encode() + b" "), (answer, self.log[-6:])
                return answers, answer


# ---- what they mean -------------------------------------------------------------------------------------------------

ITEM = re.compile(r"[A-Z0-9.]+(\[.*\](<\d+>)?)?$")
SYSTEM = {"\\seen": "\\Seen", "\\answered": "\\Answered", "\\flagged": "\\Flagged", "\\deleted": "\\Deleted",
          "\\draft": "\\Draft", "\\recent": "\\Recent"}


def flag_set(words, recent):
    flags = {SYSTEM.get(w.lower(), w.lower()) for w in words}  # keywords' case: either's is right
    return frozenset(flags if recent else flags - {"\\Recent"})


class Message:
    def __init__(self):
        self.uid = self.flags = None


class Client:
    """One session's picture, and the meaning of each answer as plain data."""

    def __init__(self, conn, recent=True):
        self.conn, self.recent = conn, recent
        self.box = None        # messages by number, or None: nothing selected
        self.validity = {}     # UIDVALIDITY to a small number
        self.tag = 0
        self.readonly = False
        self.applicable = frozenset()
        self.selected = None   # "INBOX" or "other"

    def small(self, validity):
        return self.validity.setdefault(validity, len(self.validity))

    def command(self, parts):
        self.tag += 1
        tag = f"t{self.tag}"
        word = parts[0].split()[0].upper()
        lines, last = self.conn.run(tag, parts)
        self.asked = b"".join(p if isinstance(p, bytes) else p[1:].encode() for p in parts).upper()
        m = {"fetch": {}, "list": [], "gone": [], "other": []}
        target, before = self.box, list(self.box or [])
        cond = last.split()[1].decode()
        if word in (b"SELECT", b"EXAMINE") and (cond == "OK" or b"NOSUCH" in self.asked):
            target = []
        for line in lines:
            self.untagged(line, m, target)
        if target is not self.box or (word in (b"CLOSE", b"UNSELECT") and cond == "OK"):
            self.box = target if cond == "OK" and word in (b"SELECT", b"EXAMINE") else None
            self.readonly = b"[READ-ONLY]" in last
            self.selected = "INBOX" if b"INBOX" in self.asked else "other"
        if b".SILENT" in self.asked:
            for msg in self.box or []:
                msg.flags = None
        m["cond"] = cond
        m["code"] = self.code(last[last.index(cond.encode()) + len(cond):].strip(), cond)
        if self.box is not None:
            m["gone"] = sorted(n for n, msg in enumerate(before) if msg not in self.box)
            m["exists"] = len(self.box)
        m["list"].sort()
        m["other"].sort(key=repr)
        return m

    def code(self, text, cond):
        match = re.match(rb"\[([^\]]*)\]", text)
        if not match:
            return None
        words = match[1].decode().split()
        if words[0] in ("APPENDUID", "COPYUID", "UIDVALIDITY"):
            words[1] = self.small(words[1])
        elif cond == "NO" and words[0] != "TRYCREATE":
            return None
        elif words[0] in ("HIGHESTMODSEQ", "MAILBOXID", "CAPABILITY", "CLOSED", "NOMODSEQ", "CLIENTBUG"):
            return None
        if words[0] in ("PERMANENTFLAGS",):
            return ("PERMANENTFLAGS", frozenset(w for w in re.findall(r"[^ ()]+", match[1].decode())[1:] if w[0] == "\\"))
        return tuple(words)

    def untagged(self, line, m, box):
        words = line.split(b" ", 3)
        if words[1] in (b"OK", b"NO", b"BAD"):
            code = self.code(line[len(words[1]) + 3:], "OK")
            if code and (code[0] != "PERMANENTFLAGS" or self.asked.startswith((b"SELECT", b"EXAMINE"))):
                m["other"].append(code)
        elif words[1].isdigit():
            self.numbered(int(words[1]), words[2].decode(), line, m, box)
        elif words[1] == b"FLAGS":
            self.applicable = flag_set(tokens(line)[2], True) | {"\\Recent"}
        elif words[1] == b"SEARCH":
            m["search"] = sorted(int(w) for w in line.split()[2:])
        elif words[1] in (b"LIST", b"LSUB", b"XLIST"):
            _, kind, attributes, sep, name = tokens(line)
            m["list"].append((kind, str(sep), self.name(name), self.attributes(kind, attributes)))
        elif words[1] == b"STATUS":
            _, _, name, items = tokens(line)
            items = dict(zip(items[::2], items[1::2]))
            if "UIDVALIDITY" in items:
                items["UIDVALIDITY"] = self.small(items["UIDVALIDITY"])
            if not self.recent:
                items.pop("RECENT", None)
            m["list"].append(("STATUS", "", self.name(name), sorted(items.items())))
        else:
            m["other"].append(line)

    @staticmethod
    def name(text):
        text = text if isinstance(text, str) else text.decode()
        return "INBOX" if text.upper() == "INBOX" else text

    @staticmethod
    def attributes(kind, words):
        words = {w.lower() for w in words} - {"\\marked", "\\unmarked"}
        return [] if kind == "LSUB" else sorted(words)

    def numbered(self, n, word, line, m, box):
        assert box is not None, ("nothing is selected", line)
        if word == "EXISTS":
            assert n >= len(box), ("EXISTS shrinks", line)
            box.extend(Message() for _ in range(n - len(box)))
        elif word == "RECENT":
            if self.recent:
                m["recent"] = n
        elif word == "EXPUNGE":
            assert not re.match(rb"(FETCH|STORE|SEARCH) ", self.asked), ("EXPUNGE in " + repr(self.asked))
            del box[n - 1]
        elif word == "FETCH":
            items = tokens(line)[3]
            names = [i.upper().replace('"', "") for i in items[::2]]
            self.fetched(n, box[n - 1], dict(zip(names, items[1::2])), m)
        else:
            raise AssertionError(line)

    def fetched(self, n, msg, items, m):
        if "UID" in items:
            uid = int(items.pop("UID"))
            assert msg.uid in (None, uid), (n, msg.uid, uid)
            msg.uid = uid
        if "FLAGS" in items:
            assert flag_set(items["FLAGS"], True) <= self.applicable, ("flags not in FLAGS", items, self.applicable)
            msg.flags = flag_set(items.pop("FLAGS"), self.recent)
        if items:
            m["fetch"].setdefault(msg.uid or n, {}).update(items)

    def picture(self):
        return [(m.uid, m.flags and sorted(m.flags)) for m in self.box] if self.box is not None else None


# ---- the mail -------------------------------------------------------------------------------------------------------

NESTED = """\
From: Anna <anna@example.org>
To: undisclosed-recipients:;
Cc: A Group: one@example.org, Two <two@example.org>;, "Quo\\"ted" <q@example.org>
Subject: =?utf-8?q?F=C3=BCnf_nested?= parts
Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)
Message-ID: <nested@example.org>
In-Reply-To: <a@example.org> <b@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="outer"

preamble
--outer
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable
Content-Language: de, en
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==

Gr=C3=BC=C3=9Fe, soft =
line.
--outer
Content-Type: message/rfc822
Content-Description: forwarded
Content-Disposition: attachment; filename="a b.eml"

From: inner@example.org
Subject: inner
Content-Type: multipart/alternative; boundary=inner

--inner

implicit text
--inner
Content-Type: text/html

<p>html</p>
--inner--
after the inner parts
--outer
Content-Type: image/png; name="=?utf-8?q?b=C3=BC?="
Content-ID: <img@x>
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--outer--
epilogue
"""
MAILS = [
    "From: a@example.org\nTo: b@example.org\nSubject: plain\nDate: Tue, 1 Feb 2000 10:00:00 +0100\n\nHello there.\nTwo lines.\n",
    NESTED,
    "Subject: =?iso-8859-1?q?caf=E9?= =?utf-8?b?4oKs?=\nFrom: \"Last, First\" <l.f@example.org>, second@example.org\nReply-To: r@x\n"
    "Date: Wed, 02 Feb 2000 23:30:00 -0500\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\ncaf\xe9 8bit\n",
    "Subject: no body\n",
    "Subject: folded\n header\n\tline\nFrom: <@route.example:u@h.example>\nTo: root\nX-Empty:\nX-Empty: second\n\n\n",
    "\nonly a body, no header\n",
    "Subject: base64\nContent-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\nDate: Thu, 3 Feb 2000 00:00:00 GMT\n\n"
    "w5xiZXIgc2VhcmNoYWJsZSB0ZXh0Cg==\n",
    "Subject: empty multipart\nContent-Type: multipart/mixed; boundary=x\n\nno parts here\n",
    "From: Anna <anna@example.org>\nSubject: digest\nContent-Type: multipart/digest; boundary=\"d\"\n\n--d\n\nSubject: one\n\n1\n--d\n\n"
    "Subject: two\n\n2\n--d--\n",
    "Subject: params\nContent-Type: text/plain; name*0=\"abc\"; name*1=\"def.txt\"; charset=us-ascii\n"
    "Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.txt\n\nbody\n",
]
FLAGS = ["", "S", "FS", "R", "T", "D", "", "RS", "", "S"]


def write_maildir(path):
    """The same mail for both, with UIDs given, so that nobody's order of reading a folder matters."""
    for sub in ("", "cur", "new", "tmp", ".Work", ".Work/cur", ".Work/new", ".Work/tmp", ".Work.2001", ".Work.2001/cur",
                ".Work.2001/new", ".Work.2001/tmp", ".Top.Deep.Leaf", ".Top.Deep.Leaf/cur", ".Top.Deep.Leaf/new",
                ".Top.Deep.Leaf/tmp", ".Drafts", ".Drafts/cur", ".Drafts/new", ".Drafts/tmp"):
        os.makedirs(f"{path}/{sub}")
    with open(f"{path}/subscriptions", "w") as f:
        f.write("V\t2\n\nINBOX\nDrafts\nWork\nTop\tDeep\tLeaf\n")
    listed = []
    for n, (text, flags) in enumerate(zip(MAILS, FLAGS), 1):
        base = f"{1000000000 + n}.M{n}P1.same"
        name = f"{path}/cur/{base}:2,{flags}"
        crlf = text.encode("latin-1").replace(b"\n", b"\r\n")
        with open(name, "wb") as f:
            f.write(crlf if n % 2 else text.encode("latin-1"))
        os.utime(name, (950000000 + n * 40000, 950000000 + n * 40000))
        listed.append(f"{n * 3} :{base}\n")
    with open(f"{path}/dovecot-uidlist", "w") as f:
        f.write(f"3 V1234567 N{3 * len(MAILS) + 1} G00000000000000000000000000000001\n" + "".join(listed))
    if ROOT:
        for base, dirs, files in os.walk(path):
            for name in [base] + [f"{base}/{f}" for f in files]:
                os.chown(name, UID, GID)


# ---- the servers ----------------------------------------------------------------------------------------------------

class Servers:
    def __init__(self, site):
        self.site, self.children = site, []
        self.home = f"{site.dir}/mail/other"
        for home in (site.home(USER), self.home):
            os.makedirs(os.path.dirname(home), exist_ok=True)
            os.mkdir(home)
            write_maildir(f"{home}/Maildir")
            if ROOT:
                os.chown(os.path.dirname(home), UID, GID)
                os.chown(home, UID, GID)
        self.conf = f"{site.dir}/dovecot.conf"
        with open(self.conf, "w") as f:
            f.write(f"log_path = {site.dir}/dovecot.log\nstats_writer_socket_path =\nbase_dir = {site.dir}/dc\n"
                    "mailbox_list_index = no\nnamespace inbox {\n  inbox = yes\n  mailbox Drafts {\n    special_use = \\Drafts\n    auto = subscribe\n  }\n}\n")
        open(f"{site.dir}/dovecot.log", "a").close()
        os.chmod(f"{site.dir}/dovecot.log", 0o666)

    def roost(self, recent=True):
        s = socket.create_connection(("127.0.0.1", self.site.imap_port), 60)
        conn = Conn(s.makefile("rb"), s.makefile("wb"), [])
        conn.response()
        assert conn.run("l", [f"LOGIN {USER} secret".encode()])[1].startswith(b"l OK")
        return Client(conn, recent)

    def dovecot(self, recent=True):
        ids = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        p = subprocess.Popen([PROGRAM, "-c", self.conf, "-o", f"mail_location=maildir:{self.home}/Maildir"], cwd="/",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             env={"HOME": self.home, "USER": "anna", "PATH": os.environ["PATH"]}, **ids)
        self.children.append(p)
        conn = Conn(p.stdout, p.stdin, [])
        conn.response()
        return Client(conn, recent)

    def stop(self):
        for p in self.children:
            p.stdin.close()
            p.wait(20)
            p.stdout.close()


# ---- commands -------------------------------------------------------------------------------------------------------

NAMES = ["INBOX", "inbox", "Work", "Work.2001", "Work.new", "Top", "Top.Deep", "Top.Deep.Leaf", "&U,BTFw-", "NoSuch", "a b",
         "Drafts", "x&-y", "A.B.C"]
SYSTEM_FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]
KEYWORDS = ["$Forwarded", "key1", "Key1", "NonJunk"]
SECTIONS = ["", "HEADER", "TEXT", "1", "2", "3", "4", "1.MIME", "2.MIME", "2.HEADER", "2.TEXT", "2.1", "2.2", "2.1.MIME", "2.2.MIME",
            "1.1", "2.3", "1.TEXT", "3.HEADER", "HEADER.FIELDS (SUBJECT)", "HEADER.FIELDS (from To CC x-nothing)",
            "HEADER.FIELDS.NOT (Subject Date X-Empty)", "2.HEADER.FIELDS (Subject)", "2.HEADER.FIELDS.NOT (\"SUBJECT\")", "2.1.1",
            "1.HEADER"]
ITEMS = ["FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.HEADER"]
DATES = ["1-Feb-2000", "02-Feb-2000", "\"3-feb-2000\"", "08-Feb-2000", "14-Feb-2000", "1-Jan-2030", "15-Feb-2000", "7-Feb-1994"]
WORDS = ["plain", "\"Hello there\"", "caf", "searchable", "example.org", "\"\"", "two", "html", "ANNA", "soft", "\"soft line\"", "epilogue"]
BODY_WORDS = [w for w in WORDS if w not in ("plain", "example.org", "two", "html")]


class Chooser:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def one(self, things):
        return self.r.choice(things)

    def astring(self, text):
        """One of the spellings: atom if possible, quoted, literal."""
        plain = re.fullmatch(r"[A-Za-z0-9.&,+$-]+", text)
        kind = self.r.randrange(6)
        if kind == 0:
            return "+" + text
        if kind == 1:
            return "=" + text
        if plain and kind < 5:
            return text.encode()
        return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'

    def number(self, most):
        return self.one([str(self.r.randint(1, most)), str(most), "*"]) if most else "*"

    def set_of(self, numbers, uid):
        """A set of numbers that exist, or for UIDs also of others."""
        most = (max(numbers) if numbers else 1) + (4 if uid else 0) if uid else len(numbers)
        parts = []
        for _ in range(self.one([1, 1, 1, 2, 3])):
            parts.append(self.number(most) if self.r.random() < 0.5 else f"{self.number(most)}:{self.number(most)}")
        return ",".join(parts)

    def flags(self):
        words = self.r.sample(SYSTEM_FLAGS + KEYWORDS, self.one([0, 1, 1, 2, 3]))
        words = [w for w in words if w != "key1" or "Key1" not in words]  # of such a pair Dovecot may forget the next
        words = [self.one([w, w.lower(), w]) if w.startswith("\\") else w for w in words]
        return "(" + " ".join(words) + ")"

    def case(self, word):
        return self.one([word, word, word.lower(), word.title()])

    def fetch(self):
        if self.r.random() < 0.1:
            return self.one(["ALL", "FAST", "FULL", "fast"])
        items = []
        for _ in range(self.one([1, 1, 2, 4])):
            items.append(self.one(ITEMS) if self.r.random() < 0.4 else self.section())
        items = sorted(set(items))
        return items[0] if len(items) == 1 else "(" + " ".join(items) + ")"

    def section(self):
        partial = self.one(["", "", "<0.10>", "<5.1000000>", "<100000.5>", "<3.4>", "<0.4294967295>"])
        if self.r.random() < 0.1:
            return self.one(["RFC822", "RFC822.TEXT"])
        return self.one(["BODY.PEEK", "BODY.PEEK", "BODY"]) + "[" + self.one(SECTIONS) + "]" + partial

    def key(self, numbers, depth=0):
        r = self.r.random()
        if depth < 3 and r < 0.12:
            return f"NOT {self.key(numbers, depth + 1)}"
        if depth < 3 and r < 0.2:
            return f"OR {self.key(numbers, depth + 1)} {self.key(numbers, depth + 1)}"
        if depth < 3 and r < 0.28:
            return f"({self.key(numbers, depth + 1)} {self.key(numbers, depth + 1)})"
        if r < 0.45:
            return self.case(self.one(["ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT",
                                       "UNFLAGGED", "UNSEEN"]))
        if r < 0.6:
            key = self.one(["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"])
            return f"{key} {self.one(DATES)}" if key != "SENTBEFORE" else f"(HEADER Date : {key} {self.one(DATES)})"
        if r < 0.75:
            return f"{self.one(['FROM', 'TO', 'CC', 'BCC', 'SUBJECT'])} {self.one(WORDS)}"
        if r < 0.85:
            return f"{self.one(['BODY', 'TEXT'])} {self.one(BODY_WORDS)}"
        if r < 0.9:
            return f"{self.one(['LARGER', 'SMALLER'])} {self.one([0, 19, 100, 300, 1000])}"
        if r < 0.93:
            return f"{self.one(['KEYWORD', 'UNKEYWORD'])} {self.one(KEYWORDS)}"
        if r < 0.96:
            return f"HEADER {self.one(['Subject', 'x-empty', 'DATE', 'message-id', 'Nothing'])} {self.one(WORDS)}"
        return ("UID " + self.set_of([3, 30, 40], True)) if self.r.random() < 0.5 or not numbers else self.set_of(numbers, False)

    # -- whole commands: lists of parts

    def in_mailbox(self, c):
        numbers = list(range(1, len(c.box) + 1))
        uids = [m.uid for m in c.box if m.uid] or [1]
        uid = self.r.random() < 0.4
        pre = b"UID " if uid else b""
        some = self.set_of(uids if uid else numbers, uid).encode()
        r = self.r.random()
        if r < 0.34:
            return [pre + b"FETCH " + some + b" " + self.fetch().encode()]
        if r < 0.52:
            kind = self.one(["FLAGS", "+FLAGS", "-FLAGS", "+flags", "FLAGS.SILENT", "+FLAGS.SILENT", "-FLAGS.Silent"]).encode()
            return [pre + b"STORE " + some + b" " + kind + b" " + self.flags().encode()]
        if r < 0.74:
            charset = self.one(["", "", "CHARSET UTF-8 ", "CHARSET us-ascii ", "CHARSET X-NONE "])
            if "UTF" in charset and self.r.random() < 0.5:
                return [pre + b"SEARCH CHARSET UTF-8 " + self.one([b"SUBJECT ", b"BODY ", b"TEXT "]),
                        "+" + self.one(["caf\u00e9", "\u00fc", "gr\u00fc\u00dfe", "\u00dcBER"]).encode().decode("latin-1"), b""]
            return [pre + b"SEARCH " + charset.encode() + self.key(numbers).encode()]
        if r < 0.8:
            return [pre + b"COPY " + some + b" ", self.astring(self.one(NAMES)), b""]
        if r < 0.84 and not c.readonly:
            return [pre + b"MOVE " + some + b" ", self.astring(self.one(NAMES)), b""]
        if r < 0.9:
            return [b"EXPUNGE"] if not uid else [b"UID EXPUNGE " + some]
        if r < 0.93:
            return [self.one([b"CLOSE", b"UNSELECT", b"CHECK", b"CHECK"])]
        return [self.one([b"SELECT ", b"EXAMINE "]), self.astring(self.one(["INBOX", "INBOX", "Work", "NoSuch", "Top"])), b""]

    def append(self):
        flags = self.one(["", "", self.flags() + " "]).encode()
        date = self.one([b"", b'" 1-Feb-2001 10:11:12 +0300" ', b'"31-Dec-1999 23:59:59 -0930" '])
        text = self.one(MAILS[:5]).replace("\n", "\r\n")
        return [b"APPEND ", self.astring(self.one(NAMES[:8] + ["INBOX"] * 6)), b" " + flags + date, self.one(["+", "="]) + text, b""]

    def anywhere(self):
        name, other = self.astring(self.one(NAMES)), self.astring(self.one(NAMES))
        r = self.r.random()
        if r < 0.25:
            return self.append()
        if r < 0.4:
            items = self.r.sample(["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"], self.one([1, 2, 4]))
            return [b"STATUS ", name, f" ({' '.join(items)})".encode()]
        if r < 0.6:
            pattern = self.one(["*", "%", "Work*", "Work.%", "%.%", "Top.%", "Top.%.Leaf", "inbox", "%o%", "NoSuch", "*.Leaf", "W%"])
            return [self.one([b"LIST ", b"LSUB "]) + self.one([b'"" ', b'"" ', b"Top. ", b"Work "]) + pattern.encode()]
        if r < 0.7:
            return [b"CREATE ", name, b""]
        if r < 0.76:
            return [b"DELETE ", name, b""]
        if r < 0.82:
            return [b"RENAME ", name, b" ", other, b""] if "INBOX" not in str(name).upper() else [b"NOOP"]
        if r < 0.92:
            return [self.one([b"SUBSCRIBE ", b"UNSUBSCRIBE "]), name, b""]
        return [self.one([b"NOOP", b"NAMESPACE", b"FETCH 1 FLAGS", b"STORE 1", b"XNONSENSE", b"SEARCH", b"LIST \"\"",
                          b"STATUS INBOX ()", b"STATUS INBOX (X)", b"FETCH 1 (X)", b"FETCH 0 FLAGS", b"UID", b"UID NOOP", b"COPY 1",
                          b"SEARCH FROM", b"SEARCH XYZ", b"STORE 1 FLAGS (\\Foo)", b"APPEND INBOX", b"CREATE", b"RENAME a",
                          b"FETCH 1:x FLAGS", b"SEARCH BEFORE 99-Foo-2000", b"SEARCH (ALL"])]

    def command(self, c):
        if c.box is None and self.r.random() < 0.4:
            return [b"SELECT INBOX"]
        if c.box is not None and self.r.random() < 0.7:
            return self.in_mailbox(c)
        return self.anywhere()


# ---- the comparison -------------------------------------------------------------------------------------------------

def known(pair, parts, a, b):
    """Takes the known differences (see above, by number) out of both."""
    words = parts[0].upper().split()
    word = words[1] if words[0] == b"UID" and len(words) > 1 else words[0]
    if pair[0].readonly and word in (b"STORE", b"EXPUNGE", b"MOVE") and a["cond"] == "NO" and b["cond"] in ("OK", "NO"):
        b["cond"], b["code"] = a["cond"], a["code"]  # 7
    shown = {entry[2] for entry in b["list"]}
    a["list"] = [e for e in a["list"] if e[0] != "LIST" or "\\noselect" not in e[3] or e[2] in shown]  # 22
    for n, items in a["fetch"].items():
        other = b["fetch"].get(n, {})
        if {items.get("INTERNALDATE", b"")[7:11], other.get("INTERNALDATE", b"")[7:11]}.isdisjoint({b"1999", b"2000", b"2001", b""}):
            items.pop("INTERNALDATE")  # now: not the same second
            other.pop("INTERNALDATE")
        for name in items:
            if "[" in name and items[name] == "NIL" and other.get(name) == b"":
                items[name] = b""  # 8
            if items[name] == b"" and "HEADER.FIELDS" in name and other.get(name) == b"\r\n":
                items[name] = b"\r\n"  # 13
            if "HEADER.FIELDS" in name and other.get(name) == items[name] + b"\r\n" and not items[name].endswith(b"\r\n\r\n"):
                items[name] += b"\r\n"  # 13
            if re.match(r"BODY\[[0-9.]*\.1(\.[A-Z]+)?\]", name) and items[name] in (b"", "NIL"):
                items[name] = other[name] = b""  # 12


class Different(Exception):
    pass


def show(parts):
    return b"".join(p if isinstance(p, bytes) else f"{{{len(p) - 1}}}<{p[1:41]}>".encode() for p in parts).decode("utf-8", "replace")


def differ(when, parts, what, a, b, pair):
    if what == "fetch":
        a, b = ({n: {k: v for k, v in x.get(n, {}).items() if y.get(n, {}).get(k) != v} for n in sorted(x) if x.get(n) != y.get(n)}
                for x, y in ((a, b), (b, a)))
    lines = [f"{when}: {show(parts)}", f"{what} differs:", f"  Roost:   {a!r}"[:3000], f"  Dovecot: {b!r}"[:3000]]
    for who, c in zip(("Roost", "Dovecot"), pair):
        lines.append(f"-- {who}'s last lines")
        lines += [repr(line)[:1500] for line in c.conn.log[-int(os.environ.get("LINES_SHOWN", "8")):]]
    raise Different("\n".join(lines))


def both(pair, parts, when):
    """One command to both; fails unless they mean the same."""
    parts = [p for p in parts if p != b""] or [b""]
    a, b = (c.command(parts) for c in pair)
    if pair[0].box == [] and re.match(b"(UID )?(FETCH|STORE|COPY|MOVE|SEARCH) ", parts[0]) and b["cond"] == "BAD":
        return  # 17
    if re.search(rb"NOT \(.*(LARGER|SMALLER) \d+.*(LARGER|SMALLER) \d+", b" ".join(p for p in parts if isinstance(p, bytes))):
        return  # 23
    if re.search(rb"OR (UN[A-Z]+|NOT [A-Z]+) (UN[A-Z]+|NOT [A-Z]+)\b", b" ".join(p for p in parts if isinstance(p, bytes)), re.I):
        return  # 24
    if re.match(b"(UID )?(COPY|MOVE) ", parts[0]) and (a["code"], b["cond"], b["code"]) == (("TRYCREATE",), "OK", None):
        return  # 18
    if b"[EXPUNGEISSUED]" in pair[1].conn.log[-1] and a["cond"] == "OK":
        raise Ended(pair[1].conn)  # 1
    known(pair, parts, a, b)
    for what in sorted(set(a) | set(b)):
        if a.get(what) != b.get(what):
            differ(when, parts, what, a.get(what), b.get(what), pair)
    p, q = (c.picture() for c in pair)
    if (p is None) != (q is None):
        differ(when, parts, "selected", p, q, pair)
    for n, (x, y) in enumerate(zip(p or [], q or [])):
        if None not in (x[0], y[0]) and x[0] != y[0]:
            differ(when, parts, f"UID of {n + 1}", x, y, pair)
        if None not in (x[1], y[1]) and x[1] != y[1]:
            differ(when, parts, f"flags of {n + 1}", x, y, pair)
    return a


def check_truth(pair, when):
    """What was announced so far must be what FETCH says now."""
    for c in pair:
        if c.box is None:
            continue
        before = c.picture()
        c.command([b"FETCH 1:* (UID FLAGS)"])
        for n, (x, y) in enumerate(zip(before, c.picture())):
            assert x[1] in (None, y[1]), f"{when}: flags of message {n + 1} were announced as {x}, are {y}; {c.conn.log[-12:]}"
    both(pair, [b"NOOP"], when)


def may_play(pairs, pair, parts, when):
    """False: known differences (11, 19, 20) follow from these parts."""
    if parts[0] not in (b"RENAME ", b"DELETE ", b"SUBSCRIBE ", b"UNSUBSCRIBE "):
        return True
    for each in pairs:
        if parts[0] in (b"RENAME ", b"DELETE ") and each[0].box is not None and each[0].selected != "INBOX":
            both(each, [b"UNSELECT"], when)
    if str(parts[1]).find("Drafts") >= 0:
        return False
    listed = [c.command([b'LIST "" ', parts[1], b""]) for c in pair][0]["list"]
    return "\\noselect" not in listed[0][3] if listed else parts[0] != b"SUBSCRIBE "


def play(seed, steps, sessions):
    """sessions connections to each server, one command at a time, each preceded by a NOOP when there are several."""
    choose = Chooser(seed)
    end = time.monotonic() + SECONDS
    with Site({USER: "secret"}) as site:
        servers = Servers(site)
        try:
            pairs = [(servers.roost(sessions == 1), servers.dovecot(sessions == 1)) for _ in range(sessions)]
            for pair in pairs:
                both(pair, [b"SELECT INBOX"], "begin")
                both(pair, [b"UID FETCH 1:* FLAGS"], "begin")
            for step in range(steps):
                when = f"seed {seed}, {sessions} session(s), step {step}"
                pair = choose.one(pairs)
                if sessions > 1 or step % 5 == 0:
                    both(pair, [b"NOOP"], when)
                if pair[0].box is not None and any(m.uid is None for m in pair[0].box):
                    both(pair, [b"FETCH 1:* (UID FLAGS)"], when)
                parts = choose.command(pair[0])
                if may_play(pairs, pair, parts, when):
                    both(pair, parts, when)
                if step % 20 == 19:
                    both(pair, [b"NOOP"], when)
                    check_truth(pair, when)
                if time.monotonic() > end:
                    return step + 1
        except Ended as e:
            if any(e.args[0] is pair[1].conn for pair in pairs):
                print(f"Dovecot ended after {step} steps: {e.args[0].log[-2:]}")  # it has bugs of its own
                return step
            raise AssertionError(f"the connection ended: {e.args[0].log[-6:]}") from e
        finally:
            servers.stop()
    return steps


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        skip("Dovecot is not installed")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    try:
        done = [play(seed, steps, 1), play(seed + 1, steps, 2)]
    except Different as e:
        sys.exit(str(e))
    print(f"imap_differential: well, {done[0]} and {done[1]} commands")
