#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm import from paths that are no user's mail: read as their owner and by nobody else, with the server running and stopped."""
import glob
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import ROOT, UID, Site, skip  # noqa: E402

if not ROOT:
    skip("only root can be somebody else")
ANNA, BOB = "anna@example.org", "bob@example.org"
OWNER = UID + 1
MAIL = b"From: x@example.net\nSubject: %d\n\nbody %d\n"


def fill(folder, n):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i in range(n):
        path = f"{folder}/cur/{1600000000 + i}.M{i}P1.x:2,{'FS'[:i % 3]}"
        with open(path, "wb") as f:
            f.write(MAIL % (i, i))
        os.utime(path, (1600000000 + i, 1600000000 + i))


def give(path, uid=OWNER):
    subprocess.run(["chown", "-R", f"{uid}:{uid}", path], check=True)


def counts(site, user=ANNA):
    r = site.adm("mailbox", "status", "-u", user, "messages", "*")
    assert r.returncode == 0, r
    return {line.split(" messages=")[0]: int(line.split("=")[1]) for line in r.stdout.splitlines()}


def imported(site, *words, user=("-u", ANNA), status=0):
    r = site.adm("import", *user, *words)
    assert r.returncode == status, (words, r)
    return r


def test_take(site, top, parent):
    old = f"maildir:{top}/old/%n"
    was = counts(site)
    dry = imported(site, "--dry-run", old, parent, "all")
    assert len(dry.stdout.splitlines()) == 7 and counts(site) == was, dry
    imported(site, "-s", old, parent, "all")
    assert counts(site) == {**was, f"{parent}.INBOX": 5, f"{parent}.Sub.Deep": 2}
    assert f"{parent}.Sub.Deep" in site.adm("mailbox", "list", "-s", "-u", ANNA).stdout
    rows = site.adm("-f", "tab", "fetch", "-u", ANNA, "hdr.subject flags date.received.unixtime", "mailbox", f"{parent}.INBOX").stdout
    rows = [line.replace("\\Recent", "").split("\t") for line in rows.splitlines()[1:]]
    flags = ["", "\\Flagged", "\\Flagged \\Seen"]
    assert [[a, b.strip(), c] for a, b, c in rows] == [[str(i), flags[i % 3], str(1600000000 + i)] for i in range(5)], rows
    imported(site, old, f"{parent}2", "mailbox", "Sub.Deep", "subject", "1")
    assert counts(site)[f"{parent}2.Sub.Deep"] == 1
    imported(site, f"mbox:{top}/boxes:INBOX={top}/boxes/in", f"{parent}3", "all")
    assert counts(site)[f"{parent}3.INBOX"] == 2
    for path in glob.glob(f"{top}/old/anna/**", recursive=True):
        assert os.stat(path).st_uid == OWNER and "roost.index" not in path, path


def test_refuse(site, top):
    """What the owner may not read, links (which a user may have set to lead root elsewhere), root's own files, what is not there."""
    was = counts(site)
    for place, status in ((f"maildir:{top}/link", 77), (f"maildir:{top}/way/anna", 77), (f"maildir:{top}/roots", 77),
                          (f"maildir:{top}/none", 68), (f"maildir:{top}/$HOME", 75), (f"bogus:{top}/old/anna", 75)):
        r = imported(site, place, "Bad", "all", status=status)
        assert r.stderr, r
    os.chmod(f"{top}/old/anna/.Sub.Deep", 0)
    os.chown(f"{top}/old/anna/.Sub.Deep", 0, 0)
    r = site.adm("import", "-u", ANNA, f"maildir:{top}/old/anna", "Bad", "mailbox", "Sub.Deep", "all")
    assert r.returncode != 0 and not any(counts(site)[name] for name in counts(site) if name.startswith("Bad.Sub")), r
    give(f"{top}/old/anna/.Sub.Deep")
    os.chmod(f"{top}/old/anna/.Sub.Deep", 0o700)
    assert {name: n for name, n in counts(site).items() if name in was} == was
    assert not os.path.exists(f"{top}/none")


with Site({ANNA: "secret", BOB: "secret"}) as site:
    top = f"{site.dir}/outside"
    for user in ("anna", "bob"):
        fill(f"{top}/old/{user}", 5)
        fill(f"{top}/old/{user}/.Sub.Deep", 2)
    fill(f"{top}/roots", 1)
    os.mkdir(f"{top}/boxes")
    with open(f"{top}/boxes/in", "wb") as f:
        for i in range(2):
            f.write(b"From x Mon Jan  2 10:00:00 2023\n" + MAIL % (i, i) + b"\n")
    os.symlink(f"{top}/old/anna", f"{top}/link")
    os.symlink(f"{top}/old", f"{top}/way")
    give(f"{top}/old")
    give(f"{top}/boxes")
    for user in ("anna", "bob"):
        os.chmod(f"{top}/old/{user}", 0o700)
    left = set(glob.glob("/run/roostadm-*"))
    test_take(site, top, "First")
    test_refuse(site, top)
    imported(site, f"maildir:{top}/old/%n", "All", "mailbox", "INBOX", "all", user=("-A",))
    assert counts(site)["All.INBOX"] == counts(site, BOB)["All.INBOX"] == 5
    site.stop()
    test_take(site, top, "Second")
    site.start()
    assert counts(site)["Second.INBOX"] == 5
    assert not {d for d in set(glob.glob("/run/roostadm-*")) - left if os.path.exists(f"{d}/roost.conf") and top in open(f"{d}/roost.conf").read()}
print("roostadm_outside: well")
