#!/usr/bin/env python3
# Also runs against the sanitize build.
"""The processes as an administrator sees them: start, restart of a killed helper, reload, who, kick, status, reindex, stop."""
import contextlib
import ctypes
import imaplib
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import GID, ROOT, SANITIZED, UID, Site, wait_for  # noqa: E402

USER = "anna@example.org"


def can_login(site):
    try:
        imap = site.imap(USER)
        imap.logout()
        return True
    except (OSError, imaplib.IMAP4.error):
        return False


def test_restart(site):
    """A killed helper of each kind comes back and logins work again."""
    for program in ("roost-login", "roost-auth", "roost-auth-worker", "roost-control"):
        before = site.kids(program)
        assert before, program
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len([p for p in site.kids(program) if p not in before]) >= 1)
        wait_for(lambda: can_login(site))


def the_one(site, program, other_than=None):
    """Its process id."""
    def one():
        pids = [pid for pid in site.kids(program) if pid != other_than]
        return len(pids) == 1 and pids[0]
    return wait_for(one)


def process_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_separation(site):
    if not ROOT:
        return
    for program in ("roost-login", "roost-auth", "roost-control"):
        for pid in site.kids(program):
            wait_for(lambda: process_status(pid)["Uid"].split()[0] != "0")  # not yet, where it was just restarted
            status = process_status(pid)
            assert status["CapEff"].strip("0") == "", (program, status["CapEff"])
            assert status["NoNewPrivs"] == "1", program
            assert SANITIZED or status["Seccomp"] == "2", program
            assert os.readlink(f"/proc/{pid}/root") == f"{site.dir}/run/empty", program
    for pid in site.kids("roost-auth-worker"):  # stays root to read password files, and for nothing else
        status = process_status(pid)
        assert status["CapEff"] == status["CapPrm"] and int(status["CapEff"], 16) in (1 << 1, 1 << 2), status["CapEff"]
        assert status["NoNewPrivs"] == "1" and (SANITIZED or status["Seccomp"] == "2")
    imap = site.imap(USER)
    workers = [process_status(p) for p in site.kids("roost-worker")]
    (mine,) = [w for w in workers if w["Uid"].split() == [str(UID)] * 4]
    assert mine["CapEff"].strip("0") == "" and mine["NoNewPrivs"] == "1" and mine["Groups"].split() == [str(GID)], mine
    assert SANITIZED or mine["Seccomp"] == "2"
    imap.logout()


def test_admin(site):
    imap = site.imap(USER)
    imap.select("INBOX")
    who = site.adm("who")
    assert who.returncode == 0 and USER in who.stdout, who
    status = site.adm("status")
    assert status.returncode == 0 and "roost-" not in status.stderr and "listener" in status.stdout, status
    assert site.adm("nonsense").returncode == 64
    assert site.adm("kick", "nobody@example.org").returncode == 68  # as doveadm's
    kicked = site.adm("kick", USER)
    assert kicked.returncode == 0, kicked
    try:
        wait_for(lambda: imap.noop()[0] != "OK")
    except (imaplib.IMAP4.abort, OSError):
        pass
    wait_for(lambda: USER not in site.adm("who").stdout)
    again = site.adm("reindex", "-u", USER)
    assert again.returncode == 0, again
    assert site.adm("reindex", "-u", "nobody@example.org").returncode == 67, site.adm("reindex", "-u", "nobody@example.org")


def test_reload(site):
    imap = site.imap(USER)
    imap.select("INBOX")
    site.write_conf("login_greeting = Second generation.\n")
    assert site.adm("reload").returncode == 0
    wait_for(lambda: b"Second generation." in site.imap(USER, login=False).welcome)
    assert imap.noop()[0] == "OK"
    site.write_conf("login_greting = broken\n")
    told = site.adm("reload")
    assert told.returncode == 78 and "roost.conf:" in told.stderr and "login_greeting" in told.stderr, told
    refused = site.adm("-S", f"{site.dir}/run/control", "reload")
    assert refused.returncode == 70, refused
    assert "login_greeting" in site.log(), "the nearest name is told"
    assert imap.noop()[0] == "OK" and can_login(site)
    site.write_conf("")
    os.kill(site.proc.pid, signal.SIGHUP)
    wait_for(lambda: b"Second generation." not in site.imap(USER, login=False).welcome)
    imap.logout()


def serving(site, other_than=None):
    """The worker of our user."""
    def one():
        found = []
        for pid in site.kids("roost-worker"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found += [pid] if pid != other_than and process_status(pid)["Uid"].split()[0] == str(UID) else []
        return len(found) == 1 and found[0]
    return wait_for(one)


def test_template(site):
    """Workers are copies of a template. Killed, it comes back; a worker that crashes takes it along, one that is killed does not."""
    old = the_one(site, "roost-template")
    os.kill(old, signal.SIGKILL)
    for n in range(3):
        wait_for(lambda: can_login(site))
        for pid in site.kids("roost-worker"):  # its user's among them: the next login needs another
            os.kill(pid, signal.SIGKILL)
    second = the_one(site, "roost-template", old)
    wait_for(lambda: can_login(site))
    assert the_one(site, "roost-template") == second, "a kill is no crash"
    spares = site.kids("roost-worker")
    imap = site.imap(USER)
    os.kill(serving(site), signal.SIGILL)
    wait_for(lambda: can_login(site))
    third = the_one(site, "roost-template", second)
    wait_for(lambda: not set(spares) & set(site.kids("roost-worker")))
    assert can_login(site) and the_one(site, "roost-template") == third
    imap.shutdown()


def shut_channel(pid, fd):
    """The other end of this socket of a process hears that it has ended. False: that is no channel."""
    process = os.pidfd_open(pid)
    copy = ctypes.CDLL(None, use_errno=True).syscall(438, process, fd, 0)  # pidfd_getfd
    os.close(process)
    assert copy >= 0, os.strerror(ctypes.get_errno())
    with socket.socket(fileno=copy) as channel, contextlib.suppress(OSError):
        if channel.type == socket.SOCK_SEQPACKET:
            channel.shutdown(socket.SHUT_RDWR)
            return True
    return False


def crash_seen_late(site):
    """False: the machine was so slow that the master has killed the worker before."""
    imap, first = site.imap(USER), serving(site)
    os.kill(first, signal.SIGSTOP)
    assert shut_channel(first, 3)
    wait_for(lambda: can_login(site))
    second = serving(site, first)
    os.kill(first, signal.SIGILL)
    os.kill(first, signal.SIGCONT)
    wait_for(lambda: first not in site.kids("roost-worker"))
    imap.shutdown()
    if f"child {first} has left its channel" in site.log():
        return False
    wait_for(lambda: second not in site.kids("roost-worker"))
    return True


def test_crash_seen_late(site):
    """Who logs in when the channel of a worker has ended, and nobody knows yet that it crashed, keeps no copy of it."""
    assert any(crash_seen_late(site) for _ in range(5))
    wait_for(lambda: can_login(site))


def test_template_mute(site):
    """A template that does not answer costs time, no login."""
    pid = the_one(site, "roost-template")
    os.kill(pid, signal.SIGSTOP)
    for worker in site.kids("roost-worker"):
        os.kill(worker, signal.SIGKILL)
    wait_for(lambda: can_login(site))
    assert "the template does not answer" in site.log()


def test_limits(site):
    open_ones = [site.imap(USER) for _ in range(10)]
    try:
        site.imap(USER)
        raise AssertionError("the eleventh connection of one user and address was let in")
    except imaplib.IMAP4.error as e:
        assert "mail_max_userip_connections=10" in str(e), e
    for imap in open_ones:
        imap.logout()


def test_login_killed_in_relay(site):
    """A login process that dies in the middle of a large answer: the client's connection is closed, the worker ends the
    session, keeps nothing of it, and serves the next."""
    def ended():
        return site.log().count("imap(anna@example.org)<")

    with site.imap(USER) as imap:
        imap.append("INBOX", None, None, b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 300000)
        imap.select("INBOX")
        workers = {pid: len(os.listdir(f"/proc/{pid}/fd")) for pid in site.kids("roost-worker")}
        relayed, before, left = site.imap(USER, tls=True), ended(), 0
        relayed.select("INBOX")
        relayed.send(b"x FETCH * BODY.PEEK[]\r\n")
        assert len(relayed.read(100000)) == 100000
        for pid in site.kids("roost-login"):
            os.kill(pid, 9)
        with contextlib.suppress(OSError):
            while chunk := relayed.sock.recv(1 << 20):
                left += len(chunk)
        assert left < 20_000_000, "it was not in the middle"
        wait_for(lambda: ended() > before, 20)
        assert imap.noop()[0] == "OK", "who was not relayed stays"
        wait_for(lambda: all(len(os.listdir(f"/proc/{pid}/fd")) <= n for pid, n in workers.items()), 20)
    wait_for(lambda: can_login(site))


def test_lost_channels(site):
    """Auth closes its channels and lives: the others get new ones. We do that to it by shutting down its sockets."""
    auth = the_one(site, "roost-auth")
    shut = 0
    for fd in sorted(map(int, os.listdir(f"/proc/{auth}/fd"))):
        if fd > 3 and os.readlink(f"/proc/{auth}/fd/{fd}").startswith("socket:"):
            shut += shut_channel(auth, fd)
    assert shut >= 3, shut
    wait_for(lambda: can_login(site))
    answer = site.adm("reindex", "-u", USER)
    assert answer.returncode == 0, answer
    assert site.kids("roost-auth") == [auth], "it has not been started again"


def test_turns():
    """Connections are shared out among the login processes, not taken by whoever the kernel wakes first."""
    def held(pid):
        return len(os.listdir(f"/proc/{pid}/fd"))

    def shared_out():
        """Not while some of the processes are starting, or have not yet noticed who left."""
        pids = site.kids("roost-login")
        alone = [held(pid) for pid in pids]
        clients = [socket.create_connection(("127.0.0.1", site.imap_port), 20) for _ in range(40)]
        greeted = [s.recv(4096).startswith(b"* OK") for s in clients]
        shares = [held(pid) - n for pid, n in zip(pids, alone)]
        for s in clients:
            s.close()
        assert all(greeted)
        return len(shares) == 4 and sum(shares) == 40 and max(shares) <= 20

    with Site({USER: "secret"}, extra="login_processes = 4\n") as site:
        wait_for(shared_out, 60)


if ROOT:
    test_turns()
with Site({USER: "secret"}) as site:
    site.deliver(USER, b"Subject: one\r\n\r\nbody\r\n")
    test_restart(site)
    test_separation(site)
    test_admin(site)
    test_reload(site)
    test_limits(site)
    if ROOT:
        test_template(site)
        test_crash_seen_late(site)
    test_template_mute(site)
    test_login_killed_in_relay(site)
    if ROOT:
        test_lost_channels(site)
    imap = site.imap(USER)
    stopped = site.adm("stop")
    assert stopped.returncode == 0, stopped
    assert site.proc.wait(20) == 0
print("processes: well")
