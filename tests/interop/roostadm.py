#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm's mail commands beside Debian's doveadm on the same Maildir: the same command to both, answers and exit codes compared; then
what changes mail, with the server running and stopped, and interrupted."""
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, need  # noqa: E402

need("doveadm")
ANNA, BOB = "anna@example.org", "bob@example.org"
MAILS = [
    (b"From: Anna <anna@x.org>\nTo: bob@x.org\nDate: Mon, 2 Jan 2023 10:00:00 +0100\nMessage-ID: <1@x>\nSubject: one\tTab\n\nbody one\nline two\n",
     "S", 1651820889),
    (b"From: Bert <bert@y.org>\nTo: Carl <carl@z.org>\nCc: anna@x.org\nDate: Tue, 3 Jan 2023 11:30:00 -0500\nMessage-ID: <2@x>\n"
     b"In-Reply-To: <1@x>\nSubject: =?utf-8?q?zw=C3=B6lf?= two\nX-Long: a\n  folded line\nX-Long: again\n\nbody \"two\" \\ b\n", "RS", 1651820890),
    (b"From: c@x.org\nDate: Wed, 4 Jan 2023 23:30:00 +0000\nMessage-ID: <3@x>\nSubject: three\nMIME-Version: 1.0\n"
     b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\np\xc3\xa4rt\n--b\n"
     b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAECAw==\n--b--\n", "F", 1700000000),
    (b"Subject: no date\n\n" + b"x" * 70 + b"\n" + (b"a line of forty octets to make it larger\n" * 100), "", 1600000000),
    (b"From: d@x.org\r\nDate: Thu, 5 Jan 2023 01:02:03 +0200\r\nSubject: five\r\n\r\ncrlf\r\n", "DT", 1650000000),
]


def fill(folder, mails):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i, (data, flags, date) in enumerate(mails):
        path = f"{folder}/cur/{1000000001 + i}.M{i + 1}P1.x:2,{''.join(sorted(flags))}"
        with open(path, "wb") as f:
            f.write(data)
        os.utime(path, (date, date))


def give(path):
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", path], check=True)


class Both:
    """The site, and doveadm as the owner of the same mail."""

    def __init__(self, site):
        self.site = site
        self.dir = f"{site.dir}/dovecot"
        os.mkdir(self.dir)
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f"log_path = {self.dir}/log\nbase_dir = {self.dir}/run\nstats_writer_socket_path =\nssl = no\nfirst_valid_uid = 1\n"
                    f"mail_location = maildir:{site.maildir(ANNA)}\nnamespace inbox {{\n  inbox = yes\n}}\n")
        give(self.dir)

    def theirs(self, *words):
        user = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}
        return subprocess.run(["doveadm", "-c", f"{self.dir}/conf", *words], capture_output=True, timeout=60, cwd="/",
                              env={"HOME": self.site.home(ANNA), "USER": ANNA, "PATH": os.environ["PATH"], "TZ": "Europe/Berlin"}, **user)

    def ours(self, *words, user=ANNA, program="roostadm", **more):
        """-u goes behind the command's name."""
        at = 0
        while words[at].startswith("-"):
            at += 2
        at += 2 if words[at] in ("mailbox", "flags") else 1
        argv = [f"{self.site.prefix}/bin/{program}", "-c", f"{self.site.dir}/roost.conf", *words[:at]]
        argv += ["-u", user] if user else []
        return subprocess.run([*argv, *words[at:]], capture_output=True, timeout=120, **more)

    def same(self, *words, order=False, shape=None):
        a, b = self.ours(*words), self.theirs(*words)
        x, y = a.stdout.decode(), b.stdout.decode()
        if shape:
            x, y = shape(x), shape(y)
        if not order:
            x, y = sorted(x.split("\n")), sorted(y.split("\n"))
        assert (a.returncode, x) == (b.returncode, y), f"{words}\nours {a.returncode}: {x}\n{a.stderr.decode()}\ntheirs {b.returncode}: {y}\n{b.stderr.decode()}"
        return a.stdout.decode()


    def soon(self, *words):
        """Flags reach the file names within a second. Who claims \\Recent differs."""
        end = time.monotonic() + 20
        while True:
            try:
                return self.same(*words, order=True, shape=lambda t: t.replace(" \\Recent", "").replace("\\Recent", ""))
            except AssertionError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def squeeze(text):
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))


def test_names(both):
    both.same("mailbox", "list")
    both.same("mailbox", "list", "-7")
    both.same("mailbox", "list", "W*")
    both.same("mailbox", "list", "W%")
    both.same("mailbox", "list", "-s")
    for shape in ("flow", "tab", "pager", "json"):
        both.same("-f", shape, "mailbox", "list", "W*", order=shape != "json" and False)
        both.same("-f", shape, "mailbox", "status", "messages unseen uidnext uidvalidity vsize guid", "INBOX", order=True)
    both.same("-f", "table", "mailbox", "status", "messages unseen uidnext vsize", "INBOX", order=True, shape=squeeze)
    both.same("mailbox", "status", "-t", "messages vsize", "*", order=True)
    both.same("mailbox", "status", "messages", "INBOX", "nope")
    both.same("mailbox", "status", "messages", "nope")
    both.same("mailbox", "status", "messages", "nope*")
    both.same("mailbox", "status", "messages bogus", "INBOX")
    for name in ("INBOX", "Work.Sub", "Work", "nope"):
        for what in ("mailbox", "dir", "control"):
            both.same("mailbox", "path", "-t", what, name)
    both.same("mailbox", "path", "-t", "bogus", "INBOX")
    both.same("mailbox", "delete", "nope")
    both.same("mailbox", "rename", "nope", "n2")
    for name in ("", "a//b", ".dot", "INBOX", "Work.Sub"):
        both.same("mailbox", "create", name)


QUERIES = """
all
mailbox INBOX 1
mailbox INBOX 1,2
mailbox INBOX 2:*
uid 1:3
uid 1
not uid 1
not seen
unseen
answered or flagged
( uid 1 ) or ( uid 2 )
( uid 1 or uid 2 ) seen
not ( seen or flagged )
seen not answered
deleted
draft
undeleted undraft
keyword foo
from bert
from x.org
to carl
cc anna
subject one
subject zwölf
header subject
header message-id <2@x>
header x-long folded
body line
text forty
text three
larger 140
larger 1k
smaller 1k
larger 1M
since 2022-05-05 before 2022-05-07
on 2022-05-06
since 6-May-2022
before 1650000001
before 1w
since 1w
savedsince 1h
savedbefore 1h
sentsince 2023-01-04
senton 2023-01-03
sentbefore 2023-01-03 from x.org
mailbox INBOX
mailbox IN*
mailbox Work.Sub
mailbox INBOX seen
( mailbox INBOX uid 1 ) or ( mailbox Work.Sub all )
mailbox nope all
mailbox none*
foo
uid 1 uid 1 or uid 2 uid 2
or uid 1 uid 2
since gestern
larger much
since 0
before 1650000001 since 30
before 99999999999
"""


def test_search(both):
    for line in QUERIES.strip().split("\n"):
        words = line.split()
        if line == "header subject":
            words.append("")
        both.same("search", *words)
    for words in (("uid", ""), ("mailbox", "INBOX", "uid", ""), ("not", "uid", ""), ("\\Recent",), ("\\Seen",), ("mailbox", "")):
        both.same("search", *words)
    guid = both.ours("mailbox", "status", "guid", "INBOX").stdout.decode().split("guid=")[1].strip()
    both.same("search", "mailbox-guid", guid, "uid", "2")
    for shape in ("tab", "pager", "json"):
        both.same("-f", shape, "search", "mailbox", "INBOX", order=True)
    both.same("-f", "table", "search", "mailbox", "INBOX", order=True, shape=squeeze)


FIELDS = ["uid", "flags", "guid", "seq", "mailbox", "mailbox-guid", "user", "date.received", "date.received.unixtime", "date.sent",
          "date.sent.unixtime", "size.physical", "size.virtual", "hdr.subject", "hdr.subject.utf8", "hdr.x-long", "hdr.nope", "hdr", "body", "text",
          "imap.envelope", "imap.body", "imap.bodystructure", "body.1", "body.header", "body.preview", "body.snippet",
          "text.utf8", "binary.1", "binary.2", "storageid", "refcount", "pop3.uidl", "pop3.order"]


def test_fetch(both):
    for field in FIELDS:
        shapes = ("flow", "pager", "tab", "json") if not field.startswith(("hdr", "text", "body")) else ("flow", "pager", "tab")
        for shape in shapes:
            uids = "2:3" if field.startswith("imap") else "1:3" if field.startswith(("body.1", "body.preview")) else "1:4"
            both.same("-f", shape, "fetch", field, "mailbox", "INBOX", "uid", uids, order=True)
    both.same("fetch", "uid flags hdr.subject size.virtual", "mailbox", "INBOX", order=True)
    both.same("fetch", "uid hdr body", "mailbox", "INBOX", "uid", "1:2", order=True)
    both.same("-f", "table", "fetch", "uid flags size.virtual", "mailbox", "INBOX", order=True, shape=squeeze)
    assert both.ours("fetch", "uid", "mailbox", "nope").returncode == 68
    both.same("fetch", "bogus", "all", shape=lambda text: "")
    for shape in ("flow", "pager", "tab", "table", "json"):
        both.same("-f", shape, "fetch", "", "all", order=True)


def completed(both, *words):
    """What bash offers for the last word."""
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "etc", "bash-completion", "roostadm")
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _roostadm; printf "%s\\n" "${COMPREPLY[@]}"'
    r = subprocess.run(["bash", "-c", script, "bash", file, *words], capture_output=True, timeout=60, check=True)
    assert not r.stderr, r
    return r.stdout.decode().split()


def test_completion(both):
    prog = f"{both.site.prefix}/bin/roostadm"
    conf = ["-c", f"{both.site.dir}/roost.conf"]
    assert set(completed(both, prog, "re")) == {"reindex", "release", "reload"}
    assert completed(both, prog, "mailbox", "s") == ["status", "subscribe"]
    assert completed(both, prog, "-f", "ta") == ["tab", "table"]
    assert completed(both, prog, "mailbox", "delete", "--d") == ["--dry-run"]
    assert set(completed(both, prog, "mailbox", "delete", "-")) >= {"-u", "-A", "-F", "-e", "-r", "-s"}
    assert completed(both, prog, *conf, "reindex", "-u", ANNA, "Work.") == ["Work.Sub"]
    assert completed(both, prog, "help", "verif") == ["verify"]
    # What users call their mailboxes is not for the administrator's shell.
    assert both.ours("mailbox", "create", "-u", ANNA, "Odd$(exit)").returncode == 0
    assert completed(both, prog, *conf, "reindex", "-u", ANNA, "Od") == ["Odd\\$\\(exit\\)"]
    assert completed(both, prog, *conf, "reindex", "-u", ANNA, "Odd\\$") == ["Odd\\$\\(exit\\)"]
    assert both.ours("mailbox", "delete", "-u", ANNA, "Odd$(exit)").returncode == 0


def note_uidls(both):
    """As a migration leaves them: of one message with its place, of another its file's name."""
    path = f"{both.site.maildir(ANNA)}/dovecot-uidlist"
    with open(path) as f:
        lines = f.read().split("\n")
    for n, keys in ((1, "PUID1-77 O9"), (2, "P")):
        uid, rest = lines[n].split(" ", 1)
        lines[n] = f"{uid} {keys} {rest}"
    with open(path, "w") as f:
        f.write("\n".join(lines))
    assert "UID1-77" in both.same("fetch", "uid pop3.uidl pop3.order", "mailbox", "INBOX", order=True)


def folder(both, name, fields="uid flags", query=("all",)):
    r = both.ours("-f", "tab", "fetch", fields, "mailbox", name, *query)
    assert r.returncode == 0, r
    return r.stdout.decode().splitlines()[1:]


def modseq(both):
    return int(both.ours("mailbox", "status", "highestmodseq", "INBOX").stdout.split(b"=")[1])


def test_changes(both):
    """On ours, then looked at with both."""
    before = folder(both, "INBOX")
    dry = both.ours("flags", "add", "--dry-run", "\\Flagged", "mailbox", "INBOX", "uid", "1:2")
    assert dry.returncode == 0 and len(dry.stdout.splitlines()) == 2, dry
    assert folder(both, "INBOX") == before
    for words in (("flags", "add", "\\Flagged foo", "mailbox", "INBOX", "uid", "1"), ("flags", "remove", "\\Seen", "mailbox", "INBOX", "uid", "2"),
                  ("flags", "replace", "\\Draft bar", "mailbox", "INBOX", "uid", "3"), ("copy", "Work.Sub", "mailbox", "INBOX", "uid", "1:2"),
                  ("move", "Work.Sub", "mailbox", "INBOX", "uid", "3"), ("expunge", "mailbox", "INBOX", "uid", "4")):
        r = both.ours(*words)
        assert r.returncode == 0, (words, r)
    both.soon("fetch", "uid flags", "mailbox", "INBOX")
    both.soon("fetch", "uid flags text", "mailbox", "Work.Sub")
    links = both.same("-f", "tab", "fetch", "refcount", "mailbox", "Work.Sub", order=True)
    assert "2" in links.split("\n"), links
    assert [line.split("\t")[0] for line in folder(both, "INBOX")] == ["1", "2", "5"]
    both.same("move", "nope", "uid", "2")
    both.same("expunge", "all")
    for query in ("mailbox INBOX", "( mailbox INBOX seen ) or mailbox Work", "mailbox INBOX not mailbox Work"):
        both.same("expunge", *query.split())
        both.same("move", "Work", *query.split())
    assert [line.split("\t")[0] for line in folder(both, "INBOX")] == ["1", "2", "5"]
    both.same("expunge", "mailbox", "nope", "all")
    both.same("flags", "add", "\\Bogus", "uid", "2")
    both.same("flags", "add", "\\Recent", "uid", "2")
    for words in (("mailbox", "subscribe", ""), ("mailbox", "delete", ""), ("mailbox", "rename", "", "x"), ("copy", "", "uid", "2"),
                  ("mailbox", "rename", "Work.Sub", ""), ("save", "-m", "", "/dev/null")):
        both.same(*words)
    both.same("import", "bogus:/nowhere", "Restored", "all")
    assert both.ours("import", "", "Restored", "all").returncode == 75
    for name in ("a(b", 'q"r', "a%b", "a]b", "\u00fc", "{3}"):
        both.same("flags", "add", name, "uid", "2")
    r = both.ours("copy", "nope", "mailbox", "INBOX", "all")
    assert r.returncode == 68, r
    for words in (("mailbox", "create", "-s", "Neu", "A&B"), ("mailbox", "rename", "Neu", "Tést"), ("mailbox", "subscribe", "Work.Sub"),
                  ("mailbox", "unsubscribe", "A&B"), ("mailbox", "delete", "-e", "A&B")):
        r = both.ours(*words)
        assert r.returncode == 0, (words, r)
    both.same("mailbox", "list")
    both.same("mailbox", "delete", "A&B")
    both.same("mailbox", "update", "--min-highest-modseq", "500", "nope")
    both.same("mailbox", "update", "--min-highest-modseq", "many", "INBOX")
    before = modseq(both)
    for words in (("--min-highest-modseq", str(before + 5000), "INBOX"), ("--min-highest-modseq", "5", "INBOX"), ("INBOX",),
                  ("--dry-run", "--min-highest-modseq", str(before + 10**6), "INBOX")):
        r = both.ours("mailbox", "update", *words)
        assert r.returncode == 0 and before + 5000 <= modseq(both) < before + 10**6, (words, r)
    assert both.ours("reindex", "INBOX").returncode == 0 and modseq(both) >= before + 5000
    assert both.ours("mailbox", "create", "Gone").returncode == 0 and both.ours("mailbox", "delete", "-Z", "Gone").returncode == 0
    full = both.ours("mailbox", "delete", "-e", "INBOX")
    assert full.returncode == 65, full


def test_save(both):
    data = b"Subject: saved\n\nby standard input\n"
    r = both.ours("save", "-m", "Work.Sub", input=data)
    assert r.returncode == 0, r
    big = b"Subject: big\n\n" + b"0123456789abcdef" * 4 * 65536 + b"\n"
    path = f"{both.site.dir}/big.eml"
    with open(path, "wb") as f:
        f.write(big)
    assert both.ours("save", path).returncode == 0
    text = both.same("-f", "flow", "fetch", "text", "mailbox", "INBOX", "subject", "big", order=True)
    assert text == f"text={big.decode()}\n"
    text = both.same("-f", "flow", "fetch", "text", "mailbox", "Work.Sub", "subject", "saved", order=True)
    assert text == f"text={data.decode()}\n"
    both.same("save", "-m", "nope", "/dev/null")
    both.same("save", "/nowhere")
    source = f"{both.site.maildir(ANNA)}/source"
    fill(f"{source}/Maildir", MAILS[:2])
    fill(f"{source}/Maildir/.Deep.Down", MAILS[2:3])
    give(source)
    dry = both.ours("import", "--dry-run", f"maildir:{source}/Maildir", "Restored", "all")
    assert dry.returncode == 0 and dry.stdout and b"Restored" not in both.ours("mailbox", "list").stdout, dry
    r = both.ours("import", "-s", f"maildir:{source}/Maildir", "Restored", "all")
    assert r.returncode == 0, r
    both.soon("fetch", "uid flags date.received text", "mailbox", "Restored.INBOX")
    both.same("fetch", "uid date.received hdr.subject", "mailbox", "Restored.Deep.Down", order=True)
    r = both.ours("import", f"maildir:{both.site.maildir(ANNA)}/sauce", "Restored", "all")
    assert r.returncode == 68 and not os.path.exists(f"{both.site.maildir(ANNA)}/sauce"), r
    assert "Restored.Deep.Down" in both.ours("mailbox", "list", "-s").stdout.decode()


def test_users(both):
    r = both.ours("-f", "json", "mailbox", "list", "-A", user=None)
    assert r.returncode == 0 and {row["username"] for row in json.loads(r.stdout)} == {ANNA, BOB}, r
    with open(f"{both.site.dir}/few", "w") as f:
        f.write(f"# some\n{BOB}\n\nnobody@example.org\n")
    r = both.ours("mailbox", "list", "-F", f"{both.site.dir}/few", user=None)
    assert r.returncode == 67 and b"INBOX" in r.stdout and b"no such user" in r.stderr, r
    assert both.ours("mailbox", "list", "-F", f"{both.site.dir}/none", user=None).returncode == 75
    r = both.ours("mailbox", "list", user="b*@example.org")
    assert r.returncode == 0 and r.stdout.startswith(b"bob@example.org "), r
    assert both.ours("mailbox", "list", user="nobody@example.org").returncode == 67
    assert both.ours("mailbox", "list", "-x").returncode == 64
    for words in (("mailbox", "list"), ("mailbox", "list", "-A"), ("who",)):
        for prog in (f"{both.site.prefix}/bin/roostadm", "doveadm"):
            r = subprocess.run([prog, "-c", f"{both.site.dir}/no.conf", *words], capture_output=True, timeout=60)
            assert r.returncode == 75, r
    os.symlink(f"{both.site.prefix}/bin/roostadm", f"{both.site.dir}/doveadm")
    argv = [f"{both.site.dir}/doveadm", "-c", f"{both.site.dir}/roost.conf", "search", "-u", ANNA, "mailbox", "nope", "all"]
    r = subprocess.run(argv, capture_output=True, timeout=60)
    assert r.returncode == 68 and r.stderr.startswith(b"doveadm("), r


def all_state(both):
    """\\Recent is no part of it: it lies in the index alone for what is in cur/."""
    return {name: [line.replace(" \\Recent", "").replace("\\Recent", "")
                   for line in folder(both, name, "uid flags guid date.received size.virtual hdr.subject")]
            for name in ("INBOX", "Work.Sub", "Restored.INBOX")}


def test_index(both):
    before = all_state(both)
    for words in (("reindex",), ("reindex", "INBOX", "W*"), ("index", "*"), ("force-resync", "*"), ("reindex", "--dry-run")):
        r = both.ours(*words)
        assert r.returncode == 0, (words, r)
        after = all_state(both)
        assert after == before, (words, [(a, b) for name in before for a, b in zip(before[name], after[name]) if a != b])
    assert both.ours("reindex", "nope").returncode == 68


def named(both, part):
    """The file of INBOX whose name has part."""
    folder = f"{both.site.maildir(ANNA)}/cur"
    return next(f"{folder}/{name}" for name in os.listdir(folder) if part in name)


def test_verify(both):
    """A message that was changed behind everybody's back; mended by reindex."""
    assert both.ours("index", "*").returncode == 0
    r = both.ours("verify")
    assert r.returncode == 0 and r.stdout == b"", r
    path = named(both, ".M2P1.")
    st = os.stat(path)
    with open(path, "r+b") as f:
        data = f.read()
        f.seek(data.index(b"Bert"))
        f.write(b"Fred")
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    r = both.ours("verify", "INBOX")
    assert r.returncode == 65 and b"INBOX 2 cached ENVELOPE differs" in r.stdout, r
    assert both.ours("verify", "Work.Sub").returncode == 65  # its copy is a link to the same file
    assert both.ours("verify", "Restored*").returncode == 0
    assert both.ours("reindex", "INBOX", "Work.Sub").returncode == 0
    r = both.ours("verify")
    assert r.returncode == 0 and r.stdout == b"", r
    with open(named(both, ".M5P1."), "ab") as f:
        f.write(b"more\n")
    r = both.ours("-f", "json", "verify", "INBOX")
    told = {row["difference"] for row in json.loads(r.stdout)}
    assert r.returncode == 65 and {"RFC822.SIZE differs", "INTERNALDATE differs"} <= told, r
    assert both.ours("reindex", "INBOX", "Work.Sub").returncode == 0 and both.ours("verify").returncode == 0
    os.truncate(named(both, ".M5P1."), os.path.getsize(named(both, ".M5P1.")) - 5)  # as Dovecot's caches have it
    os.utime(named(both, ".M5P1."), (1650000000, 1650000000))
    with open(path, "r+b") as f:
        f.write(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    assert both.ours("reindex", "INBOX", "Work.Sub").returncode == 0 and both.ours("verify").returncode == 0
    assert both.ours("verify", "nope").returncode == 68


def test_reports(both):
    r = both.ours("-f", "json", "adopt", "--check")
    rows = {row["mailbox"]: row for row in json.loads(r.stdout)}
    status = json.loads(both.theirs("-f", "json", "mailbox", "status", "uidvalidity messages", "INBOX").stdout)[0]
    status = [status["uidvalidity"], status["messages"]]
    assert r.returncode == 0 and rows["INBOX"]["clientswill"] == "notice nothing", r
    assert [rows["INBOX"]["uidvalidity"], rows["INBOX"]["messages"]] == status, (rows, status)
    assert both.ours("adopt").returncode == 65
    fill(f"{both.site.maildir(ANNA)}/.Fresh", MAILS[:2])
    give(f"{both.site.maildir(ANNA)}/.Fresh")
    r = both.ours("-f", "json", "adopt", "--check", "Fresh")
    assert "everything is new" in json.loads(r.stdout)[0]["clientswill"], r
    assert not os.path.exists(f"{both.site.maildir(ANNA)}/.Fresh/dovecot-uidlist")
    r = both.ours("-f", "json", "release")
    rows = {row["mailbox"]: row for row in json.loads(r.stdout)}
    assert r.returncode == 75 and [rows["INBOX"]["uidvalidity"], rows["INBOX"]["messages"]] == status, (rows, status)
    assert b"the server is running" in r.stderr, r  # and this report changes nothing
    dry = both.ours("-f", "json", "release", "--dry-run")
    assert dry.returncode == 0 and dry.stdout == r.stdout and not dry.stderr, dry
    again = json.loads(both.ours("-f", "json", "release", "INBOX").stdout)[0]
    assert again == rows["INBOX"] and f"--min-highest-modseq {int(again['highestmodseq']) + 1000} 'INBOX'" in again["command"], again
    r = both.ours("-f", "tab", "dump", "INBOX")
    assert r.returncode == 0 and len(r.stdout.splitlines()) == int(status[1]) + 1, r
    r = both.ours("-f", "tab", "dump", "-t", "uidlist", "INBOX")
    assert r.returncode == 0 and len(r.stdout.splitlines()) == int(status[1]) + 1, r
    fill(f"{both.site.maildir(ANNA)}/.Old", MAILS[:1])
    for folder, _, names in os.walk(f"{both.site.maildir(ANNA)}/.Old"):
        for name in names:
            os.utime(f"{folder}/{name}", (-86400, -86400))
    give(f"{both.site.maildir(ANNA)}/.Old")
    r = both.ours("-f", "tab", "fetch", "date.received.unixtime", "mailbox", "Old")
    assert r.stdout.split() == [b"date.received.unixtime", b"-86400"], r
    assert both.ours("mailbox", "delete", "Old").returncode == 0


def test_left_behind(both):
    """What a roostadm that was killed left goes with the next one that needs a server of its own; not what is in use."""
    place = "/run" if ROOT else "/tmp"
    stale, used, fresh = (f"{place}/roostadm-{os.urandom(3).hex()}" for _ in range(3))
    for folder in (stale, used, fresh):
        os.mkdir(folder)
        open(f"{folder}/roost.conf", "w").close()
    for folder in (stale, used):
        os.utime(folder, (1600000000, 1600000000))
    lock = os.open(used, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert both.ours("mailbox", "list").returncode == 0
    assert [os.path.exists(x) for x in (stale, used, fresh)] == [False, True, True]
    os.close(lock)
    for folder in (used, fresh):
        shutil.rmtree(folder)


def main():
    with Site(users={ANNA: "secret", BOB: "secret"}) as site:
        os.environ["TZ"] = "Europe/Berlin"
        site.stop()
        fill(site.maildir(ANNA), MAILS)
        fill(f"{site.maildir(ANNA)}/.Work.Sub", MAILS[:1])
        give(site.dir + "/mail")
        both = Both(site)
        site.start()
        for running in (True, False):
            for test in (test_names, test_search, test_fetch):
                test(both)
            if running:
                for test in (test_changes, test_save, test_users, test_index, test_verify, test_reports, test_completion):
                    test(both)
                site.stop()
                note_uidls(both)
                test_left_behind(both)
        test_index(both)
        assert both.ours("verify").returncode == 0
        print("roostadm: well")


if __name__ == "__main__":
    main()
