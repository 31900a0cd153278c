#!/usr/bin/env python3
# sanitize: also run against the sanitized build
"""roostadm beside clients: reindex while twenty are connected and mail arrives, killed in the middle, its worker killed, run again."""
import os
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"
MESSAGES, CLIENTS = (600 if SANITIZED else 3000), 20


def fill(site):
    folder = site.maildir(USER)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for i in range(MESSAGES):
        with open(f"{folder}/cur/{1000000001 + i}.M{i}P1.x:2,S", "w") as f:
            f.write(f"From: a{i}@x.org\nDate: Mon, 2 Jan 2023 10:00:00 +0100\nMessage-ID: <{i}@x>\nSubject: number {i}\n\nbody {i}\n")
    if ROOT:
        subprocess.run(["chown", "-R", f"{UID}:{GID}", f"{site.dir}/mail"], check=True)


def adm(site, *words):
    return [f"{site.prefix}/bin/roostadm", "-c", f"{site.dir}/roost.conf", words[0], "-u", USER, *words[1:]]


def state(imap):
    """{UID: flags without \\Recent}"""
    typ, lines = imap.uid("FETCH", "1:*", "(FLAGS)")
    assert typ == "OK", lines
    found = {}
    for line in lines:
        m = re.search(rb"UID (\d+)", line)
        if not m:
            continue  # not asked for
        flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()
        found[int(m[1])] = sorted(f for f in flags if f != b"\\Recent")
    return found


def reindex_among_clients(site):
    clients = []
    for _ in range(CLIENTS):
        imap = site.imap(USER)
        imap.select("INBOX")
        clients.append(imap)
    before = state(clients[0])
    assert len(before) == MESSAGES
    delivered = []

    def deliver():
        for i in range(10):
            site.deliver(USER, f"Subject: during {i}\r\n\r\nx\r\n".encode())
            delivered.append(i)
    thread = threading.Thread(target=deliver)
    proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    thread.start()
    for imap in clients:
        assert imap.noop()[0] == "OK"
    out, err = proc.communicate(timeout=120)
    thread.join()
    assert proc.returncode == 0, (out, err)
    wanted = MESSAGES + len(delivered)
    for imap in clients:
        wait_for(lambda imap=imap: imap.noop()[0] == "OK" and len(state(imap)) == wanted, 30)
        after = state(imap)
        assert {uid: after[uid] for uid in before} == before
        imap.logout()


def interrupted(site):
    """SIGINT and SIGKILL to roostadm, SIGKILL to the worker: the same command again is well."""
    for sig in (signal.SIGINT, signal.SIGKILL):
        proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            proc.wait(0.15)
        except subprocess.TimeoutExpired:
            proc.send_signal(sig)
        proc.communicate(timeout=60)
        assert proc.returncode in (0, 130, -sig), proc.returncode
    proc = subprocess.Popen(adm(site, "reindex"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        proc.wait(0.15)
    except subprocess.TimeoutExpired:
        line = next(x for x in site.adm("status").stdout.splitlines() if "serving" in x and USER in x)
        os.kill(int(re.search(r"pid (\d+)", line)[1]), signal.SIGKILL)
        wait_for(lambda: "killed with signal 9" in site.log())  # until then the master may send another there
    out, err = proc.communicate(timeout=60)
    assert proc.returncode in (0, 75), (proc.returncode, out, err)
    for words in (["reindex"], ["verify"]):
        r = subprocess.run(adm(site, *words), capture_output=True, timeout=120)
        assert r.returncode == 0, (words, r)
    with site.imap(USER) as imap:
        imap.select("INBOX")
        assert len(state(imap)) == MESSAGES + 10


def main():
    with Site(users={USER: "secret"}, extra="mail_max_userip_connections = 100") as site:
        site.stop()
        fill(site)
        site.start()
        reindex_among_clients(site)
        interrupted(site)
        # what was killed on purpose is in the log
        with open(f"{site.dir}/log") as f:
            text = f.read()
        with open(f"{site.dir}/log", "w") as f:
            f.write(re.sub(r"killed with signal 9", "killed by the test", text))
    print("roostadm_live: well")


if __name__ == "__main__":
    main()
