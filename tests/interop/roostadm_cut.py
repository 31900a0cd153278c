#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm's commands stopped by SIGINT and SIGTERM in the middle, with the server running and stopped: what is done is done wholly, nothing is
there twice or not at all, and the same command again does the rest."""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site  # noqa: E402

ANNA, BOB = "anna@example.org", "bob@example.org"
MESSAGES = 700 if SANITIZED else 1800


class Tool:
    def __init__(self, site):
        self.site, self.cuts = site, 0

    def argv(self, words, user):
        at = 2 if words[0] in ("mailbox", "flags") else 1
        return [f"{self.site.prefix}/bin/roostadm", "-c", f"{self.site.dir}/roost.conf", *words[:at], "-u", user, *words[at:]]

    def well(self, *words, user=ANNA, codes=(0,)):
        r = subprocess.run(self.argv(words, user), capture_output=True, timeout=120)
        assert r.returncode in codes, (words, r)
        return r.stdout.decode().splitlines()

    def count(self, mailbox, *query, user=ANNA):
        return len(self.well("search", "mailbox", mailbox, *(query or ["all"]), user=user, codes=(0, 68)))

    def cut(self, sig, *words, user=ANNA):
        proc = subprocess.Popen(self.argv(words, user), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(random.uniform(0.02, 0.15 if self.site.proc else 0.4))  # wherever that is: it may have ended
        proc.send_signal(sig)
        out, err = proc.communicate(timeout=120)
        assert proc.returncode in (0, 130, -sig), (words, proc.returncode, out, err)
        self.cuts += proc.returncode == 130


def fill(site):
    folder = f"{site.maildir(ANNA)}/.One"
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}")
    for i in range(MESSAGES):
        with open(f"{folder}/cur/{1000000001 + i}.M{i}P1.x:2,S", "w") as f:
            f.write(f"Message-ID: <{i}@x>\nSubject: number {i}\n\nbody {i}\n")
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", f"{site.dir}/mail"], check=True)


def flags(tool, sig):
    for verb, flagged in (("add", MESSAGES), ("remove", 0)):
        words = ("flags", verb, "\\Flagged word", "mailbox", "One", "all")
        tool.cut(sig, *words)
        tool.well(*words)
        assert tool.count("One", "flagged", "keyword", "word") == flagged


def moves(tool, sig):
    words = ("move", "Two", "mailbox", "One", "all")
    tool.cut(sig, *words)
    assert tool.count("One") + tool.count("Two") == MESSAGES
    tool.well(*words)
    assert (tool.count("One"), tool.count("Two")) == (0, MESSAGES)
    words = ("copy", "One", "mailbox", "Two", "all")
    tool.cut(sig, *words)
    if tool.count("One") == 0:
        tool.well(*words)
    assert (tool.count("One"), tool.count("Two")) == (MESSAGES, MESSAGES)
    words = ("expunge", "mailbox", "Two", "all")
    tool.cut(sig, *words)
    tool.well(*words)
    assert (tool.count("One"), tool.count("Two")) == (MESSAGES, 0)


def arrivals(tool, sig):
    tool.cut(sig, "copy", "INBOX", "user", ANNA, "mailbox", "One", "all", user=BOB)
    assert tool.count("INBOX", user=BOB) in (0, MESSAGES)
    tool.well("expunge", "mailbox", "INBOX", "all", user=BOB)
    tool.cut(sig, "import", "maildir:~/Maildir", "In", "mailbox", "One", "all")
    assert tool.count("In.One") in (0, MESSAGES)
    tool.well("mailbox", "delete", "In.One", codes=(0, 68))


def index(tool, sig):
    for words in (("reindex", "One"), ("index", "One"), ("force-resync", "One"), ("verify", "One"),
                  ("mailbox", "update", "--min-highest-modseq", "4000000000", "One")):
        tool.cut(sig, *words)
        assert tool.count("One") == MESSAGES
    tool.cut(sig, "mailbox", "rename", "One", "Three")
    tool.well("mailbox", "rename", "One", "Three", codes=(0, 68))
    tool.well("mailbox", "rename", "Three", "One")
    assert tool.count("One") == MESSAGES


with Site({ANNA: "secret", BOB: "secret"}, extra="mail_fsync = never", start=False) as site:
    fill(site)
    tool = Tool(site)
    tool.well("mailbox", "create", "Two")
    for running in (True, False):
        if running:
            site.start()
        for sig in (signal.SIGINT, signal.SIGTERM):
            for part in (flags, moves, arrivals, index):
                part(tool, sig)
        if running:
            site.stop()
    tool.well("verify")
    print(f"roostadm_cut: well, {tool.cuts} commands cut short")
    for line in site.output().splitlines():
        assert "signal 11" not in line and "signal 6" not in line, line
