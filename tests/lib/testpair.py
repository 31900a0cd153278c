"""One Maildir, served by us (tests/tools/imapstdio) and by Debian's Dovecot 2.3, each with a copy of its own.

    with pair(lambda top: ...fills top/cur...) as (ours, theirs):
        ours.say("SEARCH ALL"), theirs.say("SEARCH ALL")
"""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("ROOST_BUILD", ".")
DOVECOT = "/usr/lib/dovecot/imap"


class Client:
    """INBOX is selected. The name is for messages about differences."""

    def __init__(self, name, reader, writer):
        self.name, self.reader, self.writer = name, reader, writer
        reader.readline()
        self.say("SELECT INBOX")

    def ask(self, command):
        """All lines of the answer, the tagged one too. command: text or bytes; literals as {n+}."""
        command = command if isinstance(command, bytes) else command.encode()
        self.writer.write(b"x " + command + b"\r\n")
        self.writer.flush()
        lines = []
        while not lines or not lines[-1].startswith(b"x "):
            lines.append(self.reader.readline())
            assert lines[-1], (self.name, command)
        return lines

    def say(self, command):
        """The untagged lines of an answer that must be OK."""
        *lines, last = self.ask(command)
        assert last.startswith(b"x OK"), (self.name, command, last)
        return lines


@contextlib.contextmanager
def pair(fill, prefix="testpair."):
    if not os.path.exists(DOVECOT):
        print("Dovecot is not installed")
        sys.exit(77)
    top = tempfile.mkdtemp(prefix=prefix)
    os.chmod(top, 0o755)
    root = os.geteuid() == 0
    started = []
    try:
        for folder in ("cur", "new", "tmp"):
            os.makedirs(f"{top}/a/{folder}")
        fill(f"{top}/a")
        shutil.copytree(f"{top}/a", f"{top}/b", copy_function=shutil.copy2)
        subprocess.run(["chmod", "-R", "a+rwX", f"{top}/b"], check=True)
        with open(f"{top}/conf", "w") as f:
            f.write(f"log_path = /dev/stderr\nstats_writer_socket_path =\nbase_dir = {top}/dc\n"
                    "namespace inbox {\n  inbox = yes\n}\n")
        started.append(subprocess.Popen(
            [f"{BUILD}/tests/tools/imapstdio", "-m", f"{top}/a", "-s", f"{top}/sock", "-i", f"{top}/index"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
        started.append(subprocess.Popen(
            [DOVECOT, "-c", f"{top}/conf", "-o", f"mail_location=maildir:{top}/b"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={"HOME": f"{top}/b", "USER": "x", "PATH": os.environ["PATH"]}, cwd="/",
            **({"user": 65534, "group": 65534, "extra_groups": []} if root else {})))
        sock = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            with contextlib.suppress(OSError):
                sock.connect(f"{top}/sock")
                break
            time.sleep(0.02)
        stream = sock.makefile("rwb")
        yield Client("roost", stream, stream), Client("dovecot", started[1].stdout, started[1].stdin)
    finally:
        for process in started:
            process.kill()
            process.wait()
        shutil.rmtree(top, ignore_errors=True)
