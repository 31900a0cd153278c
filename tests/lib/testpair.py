"""The same mail, served by us (tests/tools/imapstdio) and by Debian's Dovecot 2.3, each with a copy of its own.

    with Pair(lambda top: ...fills the Maildir top...) as (ours, theirs):
        ours.select().say("SEARCH ALL")    # [untagged responses]; what is not OK is an error
        ours.ask("UID FETCH 1:* ENVELOPE") # (tagged response without its tag, [untagged responses])

Responses come with their literals and without the last line end. A session may end; pair.theirs() begins another.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from testsite import ROOT, skip  # noqa: E402

DOVECOT = "/usr/lib/dovecot/imap"
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


def make_maildir(path):
    for folder in ("cur", "new", "tmp"):
        os.makedirs(f"{path}/{folder}")


def messages(texts):
    """What fills a Maildir with these messages: message n has UID n, and the date of none is another's."""
    def fill(top):
        make_maildir(top)
        for i, text in enumerate(texts):
            path = f"{top}/cur/{1000000000 + i}.M{i:06d}P1.x:2,S"
            with open(path, "wb") as f:
                f.write(text)
            os.utime(path, (1200000000 + i, 1200000000 + i))
    return fill


class Session:
    """The name is for messages about differences."""

    def __init__(self, name, reader, writer):
        self.name, self.reader, self.writer, self.tag = name, reader, writer, 0
        self.response()

    def response(self):
        data = b""
        while True:
            line = self.reader.readline()
            if not line.endswith(b"\r\n"):
                raise EOFError(f"{self.name}: the connection ended: {data + line}")
            data += line
            m = LITERAL.search(line)
            if not m:
                return data[:-2]
            data += self.reader.read(int(m[1]))

    def ask(self, command):
        """command: text or bytes; literals as {n+}."""
        self.tag += 1
        tag = b"t%d " % self.tag
        self.writer.write(tag + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        self.writer.flush()
        untagged = []
        while True:
            line = self.response()
            if line.startswith(tag):
                return line[len(tag):], untagged
            untagged.append(line)

    def say(self, command):
        tagged, untagged = self.ask(command)
        assert tagged.startswith(b"OK"), (self.name, command, tagged)
        return untagged

    def select(self):
        self.say("SELECT INBOX")
        return self


class Pair:
    def __init__(self, fill):
        if not os.path.exists(DOVECOT):
            skip("Dovecot is not installed")
        self.top = tempfile.mkdtemp(prefix="roost-pair-")
        self.children = []
        os.chmod(self.top, 0o755)
        fill(f"{self.top}/a")
        shutil.copytree(f"{self.top}/a", f"{self.top}/b", copy_function=shutil.copy2)
        subprocess.run(["chmod", "-R", "a+rwX", f"{self.top}/b"], check=True)
        with open(f"{self.top}/conf", "w") as f:
            f.write(f"log_path = {self.top}/log\nstats_writer_socket_path =\nbase_dir = {self.top}/dc\n"
                    "namespace inbox {\n  inbox = yes\n}\n")
        open(f"{self.top}/log", "a").close()
        os.chmod(f"{self.top}/log", 0o666)

    def start(self, *argv, **more):
        self.children.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more))
        return self.children[-1]

    def ours(self):
        tool = os.path.join(os.environ.get("ROOST_BUILD", "."), "tests/tools/imapstdio")
        self.start(tool, "-m", f"{self.top}/a", "-s", f"{self.top}/sock", "-i", f"{self.top}/index").stdout.readline()
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"{self.top}/sock")
        stream = sock.makefile("rwb")
        return Session("roost", stream, stream)

    def theirs(self):
        user = {"user": 65534, "group": 65534, "extra_groups": []} if ROOT else {}
        proc = self.start(DOVECOT, "-c", f"{self.top}/conf", "-o", f"mail_location=maildir:{self.top}/b",
                          env={"HOME": f"{self.top}/b", "USER": "x", "PATH": os.environ["PATH"]}, cwd="/", **user)
        return Session("dovecot", proc.stdout, proc.stdin)

    def __enter__(self):
        return self.ours(), self.theirs()

    def __exit__(self, kind, value, trace):
        for proc in self.children:
            proc.kill()
            proc.wait()
        shutil.rmtree(self.top, ignore_errors=True)
