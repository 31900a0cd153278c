"""Both servers of a comparison, each with the same kind of site: N users, one password, plain text and TLS ports, LMTP.

Dovecot is Debian's 2.3, tuned as its documentation recommends: login and imap processes that serve many connections (imap
one after the other), an auth cache, very dirty syncs, index and mail on the same file system as ours.
"""
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site, free_ports, skip  # noqa: E402

PASSWORD = "secret"

DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap lmtp
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 10M
auth_username_format = %Lu
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
mail_location = maildir:~/Maildir
maildir_very_dirty_syncs = yes
maildir_stat_dirs = no
mail_max_userip_connections = 0
first_valid_uid = 1
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%n allow_all_users=yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = 2
  client_limit = 10000
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 20000
  process_min_avail = 8
  service_count = 1000
}}
service lmtp {{
  process_min_avail = 2
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service auth {{
  client_limit = 20000
}}
service anvil {{
  client_limit = 20000
}}
service stats {{
  client_limit = 20000
}}
default_client_limit = 20000
"""

ROOST_EXTRA = """\
mail_max_userip_connections = 0
service imap {
  process_limit = 20000
}
"""


def processes(master):
    """The master and all that descend from it."""
    parent = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/stat") as f:
                    parent[int(p)] = int(f.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found, grown = {master}, True
    while grown:
        more = {p for p, up in parent.items() if up in found and p not in found}
        found |= more
        grown = bool(more)
    return found


def cpu_seconds(master):
    """Processor time of the server so far: living processes, and those that the master has reaped."""
    total = 0.0
    tick = os.sysconf("SC_CLK_TCK")
    for p in processes(master):
        try:
            with open(f"/proc/{p}/schedstat") as f:
                total += int(f.read().split()[0]) / 1e9
            with open(f"/proc/{p}/stat") as f:
                field = f.read().rpartition(")")[2].split()
            total += (int(field[13]) + int(field[14])) / tick
        except OSError:
            pass
    return total


def pss_kib(master):
    total = 0
    for p in processes(master):
        try:
            with open(f"/proc/{p}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return total


class Server:
    """name, ports, cpu(), pss(); files of user n in home(n)."""

    def __init__(self, users):
        self.users = [f"user{n}" for n in range(users)]

    def __enter__(self):
        self.start()
        return self

    def restart(self):
        self.stop()
        self.start()

    def cpu(self):
        return cpu_seconds(self.pid)

    def pss(self):
        return pss_kib(self.pid)

    def maildir(self, user):
        return f"{self.home(user)}/Maildir"

    def forget_index(self, user):
        """Stops, deletes what only makes things fast (identity stays), starts."""
        self.stop()
        for path in glob.glob(f"{glob.escape(self.maildir(user))}/{self.index}"):
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        self.start()

    def locate(self, location):
        """Another mail_location; before the server is started."""
        with open(f"{self.dir}/{self.name}.conf") as f:
            text = f.read()
        with open(f"{self.dir}/{self.name}.conf", "w") as f:
            f.write(text.replace("mail_location = maildir:~/Maildir", f"mail_location = {location}"))

    def settle(self, quiet=1.5):
        """Waits until the server has done what it still owes: no processor time for so many seconds."""
        while True:
            before = self.cpu()
            time.sleep(quiet)
            if self.cpu() - before < 0.001:
                return

    def fill(self, user, source, folder=None, copy=os.link):
        """Copies a Maildir as the user's INBOX or folder, with the owner's ids."""
        home = self.home(user)
        where = self.maildir(user) + (f"/.{folder}" if folder else "")
        os.makedirs(home, exist_ok=True)
        shutil.copytree(source, where, copy_function=copy, dirs_exist_ok=True)
        if ROOT:
            for path in {os.path.dirname(home), home, self.maildir(user)}:
                os.chown(path, UID, GID)
            for base, dirs, files in os.walk(where):
                os.chown(base, UID, GID)
                for f in files:
                    os.chown(f"{base}/{f}", UID, GID)


class Roost(Server):
    name, index = "roost", "roost.index"

    def __init__(self, users=1, extra=""):
        super().__init__(users)
        self.site = Site({u: PASSWORD for u in self.users}, extra=ROOST_EXTRA + extra, start=False, keep=True)
        self.dir = self.site.dir
        self.imap_port, self.imaps_port, self.lmtp_port = self.site.imap_port, self.site.imaps_port, self.site.lmtp_port

    def home(self, user):
        return self.site.home(user)

    def __exit__(self, *args):
        self.site.__exit__(*args)

    def start(self):
        self.site.start()
        self.pid = self.site.proc.pid

    def stop(self):
        self.site.stop()


class Dovecot(Server):
    name, index = "dovecot", "dovecot.index*"

    def __init__(self, users=1):
        if not os.path.exists("/usr/sbin/dovecot"):
            skip("Dovecot is not installed")
        super().__init__(users)
        self.site = Site({u: PASSWORD for u in self.users}, start=False, keep=True)
        self.dir = self.site.dir
        self.imap_port, self.imaps_port, self.lmtp_port = free_ports(3)
        os.makedirs(f"{self.dir}/state")
        with open(f"{self.dir}/dovecot.conf", "w") as f:
            f.write(DOVECOT.format(dir=self.dir, uid=UID, gid=GID, imap_port=self.imap_port, imaps_port=self.imaps_port,
                                   lmtp_port=self.lmtp_port))

    def home(self, user):
        return f"{self.dir}/mail/{user}"

    def start(self):
        self.proc = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{self.dir}/dovecot.conf"],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.pid = self.proc.pid
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.imap_port), 5).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError("Dovecot does not start: " + self.proc.stderr.read().decode())

    def stop(self):
        kids = processes(self.pid)
        self.proc.terminate()
        self.proc.wait(20)
        for p in kids:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __exit__(self, kind, value, trace):
        if kind is not None:
            with open(f"{self.dir}/log") as f:
                print(f.read()[-3000:])
        self.stop()
