#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm copy, move and import from another user's mailboxes, with the server running and stopped. What arrives is held against what
Dovecot's doveadm imports of the same folders: flags, keywords, dates, bytes."""
import os
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, need  # noqa: E402

need("doveadm")
ANNA, BOB, CARL = "anna@example.org", "bob@example.org", "carl@example.org"
FACTS = "mailbox flags date.received.unixtime size.virtual text"
MAILS = [(f"From: a{i}@x.org\r\nMessage-ID: <{i}@x>\r\nSubject: number {i}\r\n\r\n" if i % 2 else f"Message-ID: <{i}@x>\nSubject: {i}\n\n") +
         "tab\tback\\slash =0\nE\nX\nB\nA\t1\n=12\n" * (i * 700 % 9000) + ("no end of line" if i % 3 else "") for i in range(12)]


def fill(folder, mails):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i, text in enumerate(mails):
        path = f"{folder}/cur/{1000000001 + i}.M{i}P1.x:2,{('', 'S', 'FS', 'RSab', 'DTa')[i % 5]}"
        with open(path, "w", newline="") as f:
            f.write(text)
        os.utime(path, (-86400 if i == 5 else 1600000000 + i,) * 2)
    with open(f"{folder}/dovecot-keywords", "w") as f:
        f.write("0 $Label1\n1 second\n")


def give(path):
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", path], check=True)


class Tool:
    def __init__(self, site):
        self.site = site

    def run(self, *words, user=ANNA):
        at = 2 if words[0] == "mailbox" else 1
        where = ["-u", user] if user else []
        return subprocess.run([f"{self.site.prefix}/bin/roostadm", "-f", "pager", "-c", f"{self.site.dir}/roost.conf", *words[:at], *where, *words[at:]],
                              capture_output=True, timeout=120)

    def well(self, *words, user=ANNA):
        r = self.run(*words, user=user)
        assert r.returncode == 0, (words, r)
        return r.stdout.decode()

    def rows(self, *query, user=ANNA, fields=FACTS):
        return facts(self.well("fetch", fields, *query, user=user))

    def ids(self, mailbox, user=ANNA):
        pages = self.rows("mailbox", mailbox, user=user, fields="hdr.message-id")
        return sorted(page.split()[1] for page in pages)

    def names(self, *words, user=ANNA):
        return [page.split(": ", 1)[-1].strip() for page in facts(self.well("mailbox", "list", *words, user=user))]


def facts(text):
    """A page a message; of a mailbox list, a name a page. Dovecot knows no time before 1970."""
    text = text.replace(str(2**64 - 86400), "-86400")
    return [page.replace(" \\Recent", "").replace("flags: \n", "flags:\n") for page in text.split("\f\n") if page]


def dovecot_imports(site):
    """What doveadm makes of a copy of Bob's mail."""
    top = f"{site.dir}/dovecot"
    shutil.copytree(site.maildir(BOB), f"{top}/bob", copy_function=shutil.copy2)
    with open(f"{top}/conf", "w") as f:
        f.write(f"log_path = {top}/log\nbase_dir = {top}/run\nstats_writer_socket_path =\nssl = no\nfirst_valid_uid = 1\n"
                f"mail_location = maildir:{top}/mail\nnamespace inbox {{\n  inbox = yes\n}}\n")
    give(top)
    os_user = {"user": UID, "group": GID, "extra_groups": []} if ROOT else {}

    def run(*words):
        r = subprocess.run(["doveadm", "-f", "pager", "-c", f"{top}/conf", *words], capture_output=True, timeout=60, cwd="/",
                           env={"HOME": top, "USER": ANNA, "PATH": os.environ["PATH"]}, **os_user)
        assert r.returncode == 0, r
        return r.stdout.decode()
    run("import", "-s", f"maildir:{top}/bob", "Imp", "all")
    return facts(run("fetch", FACTS, "mailbox", "Imp.*", "all")), [page.split(": ", 1)[-1].strip() for page in facts(run("mailbox", "list"))]


def test_import(tool, theirs):
    rows, names = theirs
    tool.well("import", "-s", "-U", BOB, "maildir:~/Maildir", "Imp", "all")
    ours = sorted(tool.rows("mailbox", "Imp.*"))
    assert ours == sorted(rows), [(a[:300], b[:300]) for a, b in zip(ours, sorted(rows)) if a != b][:3]
    assert set(names) <= set(tool.names())
    assert {"Imp.INBOX", "Imp.Work.Sub"} <= set(tool.names("-s"))
    assert tool.run("import", "-U", BOB, "maildir:~/nowhere", "Imp", "all").returncode == 68
    assert tool.run("import", "-U", "nobody@example.org", "maildir:~/Maildir", "Imp", "all").returncode == 67
    tool.well("import", "--dry-run", "-U", BOB, "maildir:~/Maildir", "Never", "all")
    tool.well("import", "maildir:~/Maildir", "Own", "mailbox", "INBOX", user=BOB)
    assert [page.split("\n", 1)[1] for page in tool.rows("mailbox", "Own.INBOX", user=BOB)] == \
        [page.split("\n", 1)[1] for page in tool.rows("mailbox", "INBOX", user=BOB)]
    tool.well("mailbox", "delete", "Own.INBOX", user=BOB)
    tool.well("import", "-U", BOB, "maildir:~/Maildir", "", "mailbox", "Work.Sub", "uid", "2")
    assert tool.ids("Work.Sub") == ["<1@x>"]
    tool.well("mailbox", "delete", "-s", "Imp.INBOX", "Imp.Work.Sub", "Work.Sub")
    assert "Never" not in tool.names()


def test_copy(tool):
    before = tool.rows("all", user=BOB)
    tool.well("mailbox", "create", "Saved")
    found = tool.well("copy", "--dry-run", "Saved", "user", BOB, "mailbox", "INBOX", "1:3")
    assert len(facts(found)) == 3 and tool.ids("Saved") == [], found
    tool.well("copy", "Saved", "user", BOB, "mailbox", "INBOX", "or", "mailbox", "Work.Sub")
    assert tool.rows("all", user=BOB) == before
    texts = sorted(page.split("\n", 1)[1] for page in before)
    assert sorted(page.split("\n", 1)[1] for page in tool.rows("mailbox", "Saved")) == texts
    saved = tool.ids("Saved")
    for code, words in ((68, ("copy", "Nope", "user", BOB, "all")), (67, ("copy", "Saved", "user", "nobody@example.org", "all")),
                        (64, ("move", "Saved", "user", BOB, "uid", "1")), (68, ("move", "Saved", "user", BOB, "mailbox", "Nope", "all")),
                        (64, ("move", "Saved", "user", BOB, "mailbox", "INBOX")), (64, ("move", "Saved", "user", BOB)),
                        (64, ("copy", "Saved")), (67, ("copy", "Saved", "user", BOB, "all"))):
        r = tool.run(*words, user="nobody@example.org" if words[-2:] == (BOB, "all") and code == 67 else ANNA)
        assert r.returncode == code and r.stderr, (words, r)
    assert tool.ids("Saved") == saved and tool.rows("all", user=BOB) == before
    tool.well("copy", "Saved", "user", BOB)
    assert tool.ids("Saved") == sorted(2 * saved)
    tool.well("expunge", "mailbox", "Saved", "uid", f"{len(saved) + 1}:*")
    # Of himself: an ordinary copy.
    tool.well("copy", "Saved", "user", ANNA, "mailbox", "Saved", "uid", "1")
    assert len(tool.ids("Saved")) == len(saved) + 1
    # From one to several.
    tool.well("copy", "INBOX", "user", BOB, "mailbox", "INBOX", "1", user="*@example.org")
    assert tool.ids("INBOX") == tool.ids("INBOX", CARL) and len(tool.ids("INBOX")) == 1 and len(tool.ids("INBOX", BOB)) == len(MAILS) + 1
    tool.well("expunge", "mailbox", "INBOX", f"{len(MAILS) + 1}", user=BOB)
    for user in (ANNA, CARL):
        tool.well("expunge", "mailbox", "INBOX", "all", user=user)


def test_move(tool):
    there = tool.ids("INBOX", BOB)
    if "Saved" not in tool.names(user=CARL):
        tool.well("mailbox", "create", "Saved", user=CARL)
    tool.well("move", "Saved", "user", BOB, "mailbox", "INBOX", "seen", user=CARL)
    moved, left = tool.ids("Saved", CARL), tool.ids("INBOX", BOB)
    assert moved and left and sorted(moved + left) == there
    tool.well("move", "INBOX", "user", CARL, "mailbox", "Saved", "all", user=BOB)
    assert tool.ids("INBOX", BOB) == there and tool.ids("Saved", CARL) == []
    tool.well("mailbox", "delete", "Saved")


def test_unreadable(tool):
    """A message that cannot be read stays, and the rest goes."""
    if ROOT:
        folder = tool.site.maildir(BOB) + "/cur"
        name = os.listdir(folder)[0]
        there = tool.ids("INBOX", BOB)
        os.chmod(f"{folder}/{name}", 0)
        r = tool.run("move", "INBOX", "user", BOB, "mailbox", "INBOX", "all", user=CARL)
        assert r.returncode != 0 and len(tool.ids("INBOX", CARL)) == len(there) - 1, r
        kept = os.listdir(folder)
        assert [n.split(":")[0] for n in kept] == [name.split(":")[0]], kept
        os.chmod(f"{folder}/{kept[0]}", 0o600)
        tool.well("move", "INBOX", "user", CARL, "mailbox", "INBOX", "all", user=BOB)
        assert tool.ids("INBOX", BOB) == there


def test_pieces(tool):
    """What says how long a piece is comes in pieces itself."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(f"{tool.site.dir}/run/control")
        s.sendall(f"mail\t{CARL}\nsave\t-m\tINBOX\t--\n=1".encode())
        time.sleep(0.2)
        s.sendall(b"1\nSubject: x\n=")
        time.sleep(0.2)
        s.sendall(b"0\n")
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert answer == b"E\t0\n", answer
    tool.well("expunge", "mailbox", "INBOX", "subject", "x", user=CARL)


def main():
    with Site(users={ANNA: "secret", BOB: "secret", CARL: "secret"}) as site:
        site.stop()
        fill(site.maildir(BOB), MAILS)
        fill(f"{site.maildir(BOB)}/.Work.Sub", MAILS[:3])
        give(f"{site.dir}/mail")
        theirs = dovecot_imports(site)
        site.start()
        tool = Tool(site)
        for running in (True, False):
            test_import(tool, theirs)
            test_copy(tool)
            test_move(tool)
            if running:
                test_unreadable(tool)
                test_pieces(tool)
                site.stop()
        assert tool.run("verify", "-A", user=None).returncode == 0
        assert tool.run("relay", "give", "all").returncode == 64
        print("roostadm_relay: well")


if __name__ == "__main__":
    main()
