"""A site for tests: a configuration, a certificate, users, and the server under test in a temporary directory.

    with Site(users={"anna@example.org": "secret"}) as site:
        site.deliver("anna@example.org", b"Subject: x\r\n\r\nbody\r\n")
        with site.imap("anna@example.org") as imap: ...

Environment, set by tests/run: ROOST_PREFIX, where the server is installed. Ports are free ones of 127.0.0.1.
Run as root the mail belongs to a uid that no other test has at that time, for the kernel counts inotify instances and
processes by uid; else to who runs the tests.
"""
import contextlib
import imaplib
import os
import random
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

PREFIX = os.environ.get("ROOST_PREFIX") or sys.exit("ROOST_PREFIX is not set: use tests/run")
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZED = bool(os.environ.get("ROOST_SANITIZED"))
ROOT = os.geteuid() == 0
UID = 30000 + os.getpid() % 20000 if ROOT else os.geteuid()
GID = UID if ROOT else os.getegid()
imaplib._MAXLINE = 100_000_000
imaplib.Commands.setdefault("UNSELECT", ("SELECTED",))

CONF = """\
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {dir}/run
log_path = {dir}/log
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 100 msecs
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
mail_location = maildir:~/Maildir
first_valid_uid = {first_uid}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    special_use = \\Drafts
    auto = subscribe
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%d/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  unix_listener {dir}/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
{extra}
"""


def skip(reason):
    print(reason)
    sys.exit(77)


def need(*programs):
    """Skips the test unless all programs are there. Sbin folders count."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    for p in programs:
        if shutil.which(p, path=path) is None:
            skip(f"{p} is not installed")


PORTS_TAKEN = []  # names that say so to other tests, as long as this one runs


def free_port():
    """A port that nobody listens on; below those that the kernel gives to outgoing connections, which come and go."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        end = int(f.read().split()[0])
    for port in random.SystemRandom().sample(range(min(10000, end // 2), end), 400):
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            taken = socket.socket(socket.AF_UNIX)
            taken.bind(f"\0roost-test-port-{port}")
            PORTS_TAKEN.append(taken)
            return port
    raise AssertionError("no port is free")


def free_ports(n):
    return [free_port() for _ in range(n)]


def wait_for(what, seconds=30, step=0.02):
    """Calls what() until it is true; returns its value; fails the test after the time."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(step)


PF_FORKNOEXEC = 0x40  # linux/sched.h


def children_of(pid):
    """(pid, program) of the processes that the master started. A copy of the template bears its name until it gets its own."""
    found = []
    for p in os.listdir("/proc"):
        if not p.isdigit():
            continue
        try:
            with open(f"/proc/{p}/stat") as f:
                stat = f.read()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 1:].split()
        if name == "roost-template" and int(rest[6]) & PF_FORKNOEXEC:
            name = "roost-worker"
        if int(rest[1]) == pid:
            found.append((int(p), name))
    return found


class Site:
    def __init__(self, users=None, extra="", conf=CONF, start=True, prefix=PREFIX, keep=False):
        self.keep = keep  # leave the files to the caller
        self.users = users if users is not None else {"anna@example.org": "secret"}
        self.dir = tempfile.mkdtemp(prefix="roost-test-")
        self.prefix = prefix
        self.extra = extra
        self.template = conf
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        self.proc = None
        os.chmod(self.dir, 0o755)
        os.mkdir(f"{self.dir}/mail", 0o700)
        if ROOT:
            os.chown(f"{self.dir}/mail", UID, GID)
        self.make_certificate()
        self.write_users()
        self.write_conf()
        self._start = start

    # --- files

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=localhost", "-keyout", f"{self.dir}/key.pem",
                        "-out", f"{self.dir}/cert.pem"], check=True, stderr=subprocess.DEVNULL)

    def write_users(self):
        with open(f"{self.dir}/users", "w") as f:
            for user, password in self.users.items():
                f.write(f"{user}:{password}\n")

    def write_conf(self, extra=None):
        if extra is not None:
            self.extra = extra
        with open(f"{self.dir}/roost.conf", "w") as f:
            f.write(self.template.format(dir=self.dir, uid=UID, gid=GID, first_uid=min(500, UID), imap_port=self.imap_port,
                                         imaps_port=self.imaps_port, lmtp_port=self.lmtp_port, extra=self.extra))
        return f"{self.dir}/roost.conf"

    def home(self, user):
        name, _, domain = user.partition("@")
        return f"{self.dir}/mail/{domain}/{name}"

    def maildir(self, user):
        return self.home(user) + "/Maildir"

    def log(self):
        try:
            with open(f"{self.dir}/log", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    # --- life

    def start(self):
        self.proc = subprocess.Popen([f"{self.prefix}/sbin/roost", "-F", "-c", f"{self.dir}/roost.conf"],
                                     stdin=subprocess.DEVNULL, stdout=open(f"{self.dir}/stdout", "ab"),
                                     stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                raise AssertionError("the server did not start:\n" + self.output())
            try:
                with socket.create_connection(("127.0.0.1", self.imap_port), 10) as s:
                    if s.recv(4) == b"* OK":
                        return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not greet:\n" + self.output())

    def output(self):
        with open(f"{self.dir}/stdout", errors="replace") as f:
            return f.read() + self.log()

    def stop(self, sig=signal.SIGTERM):
        """Ends the server; complains when it does not end cleanly, or a process of it stays."""
        if self.proc is None:
            return
        kids = children_of(self.proc.pid)
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            code = self.proc.wait(25)
        finally:
            for pid, _ in kids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self.proc.poll() is None:
                self.proc.kill()
            self.proc = None
        assert code == 0, f"the master ended with {code}:\n" + self.output()

    def __enter__(self):
        if self._start:
            self.start()
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is not None:
                print("---- server output ----\n" + self.output()[-8000:])
            self.stop()
            out = self.output()
            for word in ("AddressSanitizer", "runtime error", "LeakSanitizer", "must(", "killed with signal 6",
                         "killed with signal 11"):
                assert word not in out, f"the server's output has {word}:\n{out[-12000:]}"
        finally:
            if not self.keep:
                shutil.rmtree(self.dir, ignore_errors=True)

    def adm(self, *words):
        where = [] if words[0] == "-S" else ["-c", f"{self.dir}/roost.conf"]
        return subprocess.run([f"{self.prefix}/bin/roostadm", *where, *words],
                              capture_output=True, text=True, timeout=60)

    def ctl(self, *words):
        """Lines of the control socket's answer, as the administrator's tool gets them, without the last."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(f"{self.dir}/run/control")
            s.sendall("\t".join(words).encode() + b"\n")
            answer = b"".join(iter(lambda: s.recv(65536), b"")).decode().splitlines()
        assert answer and answer[-1] == "OK", answer
        return answer[:-1]

    def stop_after_deaths(self):
        """Those by a signal, or by a torn map (SIGBUS, SIGSEGV inside LMDB), were expected; anything else a sanitizer said is not."""
        said = self.output()
        for words in ("runtime error", "AddressSanitizer: heap", "AddressSanitizer: stack", "AddressSanitizer: global", "must("):
            assert words not in said, said[-6000:]
        self.stop()
        for name in ("log", "stdout"):
            open(f"{self.dir}/{name}", "w").close()

    def kids(self, program):
        """Process ids by program; the kernel keeps 15 bytes of a name."""
        return [pid for pid, name in children_of(self.proc.pid) if name == program[:15]]

    # --- clients

    def tls(self):
        context = ssl.create_default_context(cafile=f"{self.dir}/cert.pem")
        context.check_hostname = False
        return context

    def imap(self, user=None, password=None, tls=False, login=True):
        user = user or next(iter(self.users))
        if tls:
            imap = imaplib.IMAP4_SSL("127.0.0.1", self.imaps_port, ssl_context=self.tls(), timeout=30)
        else:
            imap = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        if login:
            imap.login(user, password or self.users[user])
        return imap

    def deliver(self, user, message, sender="sender@example.net"):
        """One message over LMTP, byte for byte after CRLF line ends and dot-stuffing."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port, timeout=60) as lmtp:
            refused = lmtp.sendmail(sender, user if isinstance(user, list) else [user], message)
        assert not refused, refused


def messages(imap, what="(UID FLAGS BODY.PEEK[])"):
    """All messages of the selected mailbox: a list of (head of the FETCH response, first literal)."""
    ok, data = imap.fetch("1:*", what)
    assert ok == "OK", data
    return [d for d in data if isinstance(d, tuple)]
