"""Roost's stdio tool and Debian's Dovecot 2.3 on copies of the same messages; answers with literals, and sessions that may end.

    with Pair(messages) as (ours, theirs):
        ours.say("UID FETCH 1:* (ENVELOPE)")    # (tagged line, [untagged responses])

Messages are bytes, or (bytes, seconds): the file's date. Message n has UID n.
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from testsite import skip  # noqa: E402

DOVECOT = "/usr/lib/dovecot/imap"
LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.tag = reader, writer, 0
        reader.readline()
        self.say("SELECT INBOX")

    def response(self):
        data = b""
        while True:
            line = self.reader.readline()
            if not line.endswith(b"\r\n"):
                raise EOFError(f"the connection ended: {data + line}")
            data += line
            m = LITERAL.search(line)
            if not m:
                return data[:-2]
            data += self.reader.read(int(m[1]))

    def say(self, command):
        self.tag += 1
        tag = b"t%d " % self.tag
        self.writer.write(tag + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        self.writer.flush()
        lines = []
        while True:
            line = self.response()
            if line.startswith(tag):
                return line[len(tag):], lines
            lines.append(line)


class Pair:
    def __init__(self, messages):
        if not os.path.exists(DOVECOT):
            skip("Dovecot is not installed")
        self.top = tempfile.mkdtemp(prefix="roost-pair-")
        os.chmod(self.top, 0o755)
        self.fill(messages)
        self.children = []

    def fill(self, messages):
        for folder in ("cur", "new", "tmp"):
            os.makedirs(f"{self.top}/a/{folder}")
        for i, message in enumerate(messages):
            data, date = message if isinstance(message, tuple) else (message, 1200000000 + i)
            path = f"{self.top}/a/cur/{1000000000 + i}.M{i:06d}P1.x:2,S"
            with open(path, "wb") as f:
                f.write(data)
            os.utime(path, (date, date))
        shutil.copytree(f"{self.top}/a", f"{self.top}/b", copy_function=shutil.copy2)
        subprocess.run(["chmod", "-R", "a+rwX", f"{self.top}/b"], check=True)

    def ours(self):
        tool = os.path.join(os.environ.get("ROOST_BUILD", "."), "tests/tools/imapstdio")
        proc = subprocess.Popen([tool, "-m", f"{self.top}/a", "-s", f"{self.top}/sock", "-i", f"{self.top}/index"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.children.append(proc)
        proc.stdout.readline()
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"{self.top}/sock")
        stream = sock.makefile("rwb")
        return Session(stream, stream)

    def theirs(self):
        with open(f"{self.top}/conf", "w") as f:
            f.write(f"log_path = {self.top}/log\nstats_writer_socket_path =\nbase_dir = {self.top}/dc\nnamespace inbox {{\n  inbox = yes\n}}\n")
        open(f"{self.top}/log", "a").close()
        os.chmod(f"{self.top}/log", 0o666)
        user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        proc = subprocess.Popen([DOVECOT, "-c", f"{self.top}/conf", "-o", f"mail_location=maildir:{self.top}/b"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, env={"HOME": f"{self.top}/b", "USER": "x", "PATH": os.environ["PATH"]}, cwd="/", **user)
        self.children.append(proc)
        return Session(proc.stdout, proc.stdin)

    def __enter__(self):
        return self.ours(), self.theirs()

    def __exit__(self, kind, value, trace):
        for proc in self.children:
            proc.kill()
            proc.wait()
        shutil.rmtree(self.top, ignore_errors=True)
