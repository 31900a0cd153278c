#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Starting, stopping and reloading at bad moments: sessions are told, nothing acknowledged is lost, nobody is dropped."""
import imaplib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import PREFIX, Site, children_of, free_ports, wait_for  # noqa: E402

USER, OTHER = "anna@example.org", "bob@example.org"
USERS = {USER: "secret", OTHER: "other"}


def raw(port):
    s = socket.create_connection(("127.0.0.1", port), 20)
    return s, s.makefile("rb")


def login_works(site, user=USER, password=None):
    imap = site.imap(user, password)
    assert imap.noop()[0] == "OK"
    imap.logout()


def flags_on_disk(site):
    return sorted(f.split(":2,")[1] for f in os.listdir(site.maildir(USER) + "/cur") if ":2," in f)


def test_stop():
    """Everybody hears BYE, flags reach the file names, half-open logins and transactions do not hold it up."""
    with Site(USERS, extra="auth_failure_delay = 8 secs\n") as site:
        for i in range(20):
            site.deliver(USER, f"Subject: {i}\r\n\r\nbody\r\n".encode())
        imap, tls = site.imap(USER), site.imap(OTHER, tls=True)
        imap.select("INBOX")
        tls.select("INBOX")
        tls.send(b"i IDLE\r\n")
        tls.readline()
        waiting, waiting_file = raw(site.imap_port)
        slow, slow_file = raw(site.imap_port)
        slow.sendall(b"a LOGIN anna@example.org wrong\r\n")  # auth holds the answer back
        lmtp, lmtp_file = raw(site.lmtp_port)
        lmtp.sendall(b"LHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\nSubject: half\r\n")
        while not lmtp_file.readline().startswith(b"354"):
            pass
        time.sleep(0.3)
        imap.store("1:20", "+FLAGS", "(\\Flagged)")
        start = time.monotonic()
        site.proc.send_signal(signal.SIGTERM)
        assert b"* BYE" in imap.readline()
        assert b"* BYE" in tls.readline()
        assert b"* BYE" in waiting_file.read()
        assert b"* BYE" in slow_file.read()
        assert b"421" in lmtp_file.read()
        assert site.proc.wait(20) == 0
        took = time.monotonic() - start
        assert took < 8, f"stopping took {took:.1f} s"
        assert "does not stop" not in site.log(), site.log()
        assert not os.path.exists(f"{site.dir}/run/master.pid")
        assert not os.path.exists(f"{site.dir}/lmtp") and not os.path.exists(f"{site.dir}/run/control")
        assert flags_on_disk(site) == ["F"] * 20, flags_on_disk(site)
        site.start()
        imap = site.imap(USER)
        assert imap.select("INBOX")[1] == [b"20"]
        for s in (waiting, slow, lmtp):
            s.close()


def test_second_instance(site):
    """Refused with the reason; the first one is not disturbed, its sockets stay."""
    second = subprocess.run([f"{PREFIX}/sbin/roost", "-F", "-c", f"{site.dir}/roost.conf"], capture_output=True, text=True,
                            timeout=20)
    assert second.returncode == 89 and f"already running with pid {site.proc.pid}" in second.stderr, second
    with open(f"{site.dir}/run/master.pid") as f:
        assert f.read() == f"{site.proc.pid}\n"
    login_works(site)
    assert site.adm("status").returncode == 0


def test_killed_master(site):
    """All helpers of a killed master end; the next one takes over its stale sockets and pid file."""
    kids = children_of(site.proc.pid)
    imap = site.imap(USER)
    site.proc.kill()
    site.proc.wait()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid, _ in kids))
    assert os.path.exists(f"{site.dir}/lmtp") and os.path.exists(f"{site.dir}/run/master.pid")
    site.start()
    assert os.path.exists(f"{site.dir}/lmtp")
    login_works(site)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{site.dir}/lmtp")
        assert s.recv(3) == b"220"
    imap.shutdown()


def test_reload_under_load(site):
    """Twenty reloads while people log in and mail comes: no login fails, no mail is refused, sessions go on."""
    before = len(site.kids("roost-login"))
    stay, stay_tls = site.imap(USER), site.imap(USER, tls=True)
    stay.select("INBOX")
    stay_tls.select("INBOX")
    for i in range(20):
        site.proc.send_signal(signal.SIGHUP)
        for j in range(3):
            login_works(site, OTHER)
        site.deliver(OTHER, b"Subject: x\r\n\r\n\r\n")
    assert stay.noop()[0] == "OK" and stay_tls.noop()[0] == "OK"
    stay.logout()
    stay_tls.logout()
    wait_for(lambda: len(site.kids("roost-login")) == before and len(site.kids("roost-auth")) == 1)


def test_changed_listeners(site):
    """A port that goes away is closed, a new one opens; one that turns to TLS, and a socket's mode, follow too."""
    old, (new,) = site.imap_port, free_ports(1)
    stay = site.imap(USER)
    template = site.template
    site.imap_port = new
    site.write_conf()
    assert site.adm("reload").returncode == 0
    wait_for(lambda: b"* OK" in site.imap(USER, login=False).welcome)
    try:
        wait_for(lambda: socket.create_connection(("127.0.0.1", old), 1).close())
        raise AssertionError("the old port still answers")
    except ConnectionRefusedError:
        pass
    assert stay.noop()[0] == "OK"
    site.template = template.replace("port = {imap_port}\n", "port = {imap_port}\n    ssl = yes\n").replace("mode = 0666", "mode = 0600")
    site.write_conf()
    reload = site.adm("reload")
    assert reload.returncode == 0 and "cannot listen" not in site.log(), site.log()

    def greets():
        with socket.create_connection(("127.0.0.1", new), 5) as s:
            try:
                with site.tls().wrap_socket(s) as t:
                    return t.recv(4) == b"* OK"
            except ssl.SSLError:
                return False

    wait_for(greets)
    assert os.stat(f"{site.dir}/lmtp").st_mode & 0o777 == 0o600
    site.template = template
    site.write_conf()
    assert site.adm("reload").returncode == 0
    wait_for(lambda: b"* OK" in site.imap(USER, login=False).welcome)
    assert os.stat(f"{site.dir}/lmtp").st_mode & 0o777 == 0o666
    stay.logout()


def test_changed_certificate(site):
    def serial():
        return ssl.get_server_certificate(("127.0.0.1", site.imaps_port))
    before = serial()
    stay = site.imap(USER, tls=True)
    site.make_certificate()
    assert site.adm("reload").returncode == 0
    wait_for(lambda: serial() != before)
    assert stay.noop()[0] == "OK"
    with open(f"{site.dir}/cert.pem", "w") as f:
        f.write("no certificate\n")
    site.adm("reload")
    login_works(site)
    site.make_certificate()
    assert site.adm("reload").returncode == 0
    wait_for(lambda: site.imap(USER, tls=True).noop()[0] == "OK")
    stay.logout()


def test_changed_users(site):
    """The file of users counts as it is now, without a reload."""
    site.users["new@example.org"] = "n"
    del site.users[OTHER]
    site.write_users()
    wait_for(lambda: login_works(site, "new@example.org", "n") is None)
    try:
        login_works(site, OTHER, "other")
        raise AssertionError("a user who is gone was let in")
    except imaplib.IMAP4.error:
        pass
    site.users[OTHER] = "other"
    site.write_users()


def test_backoff(site):
    """A helper that cannot start is tried more and more rarely, and comes back when it can."""
    (auth,) = site.kids("roost-auth")
    for _ in range(6):
        os.kill(auth, signal.SIGKILL)
        (auth,) = wait_for(lambda: [p for p in site.kids("roost-auth") if p != auth], 20)
    killed = re.findall(r"service\(auth\): child (\d+) killed", site.log())
    assert len(killed) >= 6
    start = time.monotonic()
    os.kill(auth, signal.SIGKILL)
    wait_for(lambda: [p for p in site.kids("roost-auth") if p != auth], 30)
    assert time.monotonic() - start > 1, "the seventh restart within seconds waits"
    wait_for(lambda: site.imap(USER, login=False).login(USER, "secret")[0] == "OK")


def test_bad_moments(site):
    """Signals while it starts, twice, together with others: it ends well each time, and all with it."""
    site.stop()
    for signals in ((15,), (15, 15), (1, 15), (15, 1), (1, 1, 15, 1), (10, 15), (2,)):
        for wait in (0.01, 0.04, 0.08):
            site.proc = subprocess.Popen([f"{PREFIX}/sbin/roost", "-F", "-c", f"{site.dir}/roost.conf"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            wait_for(lambda: len(children_of(site.proc.pid)) > 3)
            time.sleep(wait)
            kids = children_of(site.proc.pid)
            for n in signals:
                site.proc.send_signal(n)
            assert site.proc.wait(9) == 0, signals
            wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid, _ in kids))
            assert not os.path.exists(f"{site.dir}/run/master.pid")
    site.start()


def test_log_reopen(site):
    os.rename(f"{site.dir}/log", f"{site.dir}/log.1")
    site.proc.send_signal(signal.SIGUSR1)
    wait_for(lambda: os.path.exists(f"{site.dir}/log"))
    login_works(site)
    wait_for(lambda: "Login: user=<anna@example.org>" in site.log())


def test_log_paths():
    """Errors, information and debugging go where the settings say, from every process, before and after reopening."""
    with Site(USERS, start=False) as site:
        with open(f"{site.dir}/roost.conf", "a") as f:
            f.write(f"info_log_path = {site.dir}/info\ndebug_log_path = {site.dir}/debug\nauth_debug = yes\nauth_verbose = yes\n")
        site.start()
        for round in ("", ".again"):
            if round:
                for name in ("log", "info", "debug"):
                    os.rename(f"{site.dir}/{name}", f"{site.dir}/{name}.1")
                site.proc.send_signal(signal.SIGUSR1)
                wait_for(lambda: all(os.path.exists(f"{site.dir}/{name}") for name in ("log", "info", "debug")))
            login_works(site)
            for line in ("imap-login: Info: Login: user=<anna@example.org>", "Logged out"):  # by two processes, in any order
                wait_for(lambda line=line: line in open(f"{site.dir}/info").read())
            assert "Debug: " not in open(f"{site.dir}/info").read()
            # Auth may open its files again a little later than the master: what it says of a later login goes there.
            wait_for(lambda: login_works(site) or ": Debug: " in open(f"{site.dir}/debug").read())
            assert "Info: " not in site.log() and "Debug: " not in site.log(), site.log()


test_stop()
test_log_paths()
with Site(USERS) as site:
    site.deliver(USER, b"Subject: one\r\n\r\nbody\r\n")
    for test in (test_second_instance, test_killed_master, test_reload_under_load, test_changed_listeners,
                 test_changed_certificate, test_changed_users, test_log_reopen, test_bad_moments, test_backoff):
        test(site)
print("stop and reload: well")
