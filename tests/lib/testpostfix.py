"""A Postfix of its own: queue, configuration and log below one directory; smtpd on a loopback port."""
import os
import pwd
import subprocess

MAIN = """\
compatibility_level = 3.6
queue_directory = {q}/queue
data_directory = {q}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {q}/maillog
maillog_file_prefixes = {q}
inet_interfaces = 127.0.0.1
myhostname = mx.example.net
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
smtpd_recipient_restrictions = permit_mynetworks
message_size_limit = 100000000
smtputf8_enable = no
hopcount_limit = 1000
{more}
"""

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """An instance of its own below directory q."""

    def __init__(self, q, port, more):
        """more: lines for main.cf: domains and transports."""
        self.q, self.port = q, port
        os.makedirs(f"{q}/conf")
        os.makedirs(f"{q}/queue")
        os.makedirs(f"{q}/data")
        postfix = pwd.getpwnam("postfix")
        os.chown(f"{q}/data", postfix.pw_uid, postfix.pw_gid)
        with open(f"{q}/conf/main.cf", "w") as f:
            f.write(MAIN.format(q=q, more=more))
        with open(f"{q}/conf/master.cf", "w") as f:
            f.write(MASTER.format(port=port))

    def run(self, *words):
        return subprocess.run(["postfix", "-c", f"{self.q}/conf", *words], capture_output=True, text=True, timeout=60)

    def __enter__(self):
        done = self.run("start")
        assert done.returncode == 0, done
        return self

    def __exit__(self, *ignored):
        self.run("stop")
        if ignored[0] is not None and os.path.exists(f"{self.q}/maillog"):
            print(open(f"{self.q}/maillog").read()[-6000:])

    def log(self):
        return open(f"{self.q}/maillog").read() if os.path.exists(f"{self.q}/maillog") else ""
