"""Clients that cost little themselves: raw sockets, big reads, no parsing beyond what the measurement needs."""
import concurrent.futures
import os
import random
import socket
import ssl
import time


def client_context():
    """TLS that believes every server; thousands of connections had better share one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Imap:
    def __init__(self, port, user=None, password="secret", tls=False):
        self.sock = socket.create_connection(("127.0.0.1", port), 120)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = (client_context() if tls is True else tls).wrap_socket(self.sock)
        self.rest = b""
        self.tag = 0
        self.line()
        if user:
            self.command(f"LOGIN {user} {password}")

    def line(self):
        while b"\n" not in self.rest:
            got = self.sock.recv(262144)
            if not got:
                raise EOFError(self.rest)
            self.rest += got
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def command(self, text, data=b"", want=(b"OK",)):
        """Sends (data: a literal at the end) and reads up to the tagged line; returns the number of octets read."""
        if data:
            text += " {%d+}\r\n" % len(data)
        answer, total = self.finish(self.start([text.encode() + data]))
        assert answer.split()[1] in want, (text, answer[:300])
        return total

    def pipeline(self, texts):
        """Sends all at once and reads up to the last tagged line."""
        return self.finish(self.start([text.encode() for text in texts]))[1]

    def ask(self, text):
        """As command, but returns the untagged lines."""
        tag, lines = self.start([text.encode()]), []
        while not (line := self.line()).startswith(tag):
            lines.append(line.rstrip(b"\r"))
        assert b"OK" in line[:16], (text, line)
        return lines

    def start(self, commands):
        """Sends the commands; returns the last one's tag."""
        out = b""
        for text in commands:
            self.tag += 1
            out += b"t%d %s\r\n" % (self.tag, text)
        self.sock.sendall(out)
        return b"t%d " % self.tag

    def finish(self, tag):
        """Reads up to the line with the tag: that line, and the number of octets."""
        total, tail = len(self.rest), self.rest
        self.rest = b""
        end = b"\n" + tag
        while True:
            at = 0 if tail.startswith(tag) else tail.rfind(end) + 1
            if (at > 0 or tail.startswith(tag)) and tail.find(b"\n", at) >= 0:
                answer = tail[at:]
                break
            got = self.sock.recv(1 << 20)
            if not got:
                raise EOFError(tag)
            total += len(got)
            tail = tail[-512:] + got if len(tail) > 512 else tail + got
        return answer, total

    def close(self):
        self.sock.close()


class Lmtp:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 120)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.reply()
        self.say(b"LHLO bench\r\n")

    def reply(self):
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            if line[3:4] != b"-":
                return line

    def say(self, text, want=b"2"):
        self.sock.sendall(text)
        line = self.reply()
        assert line.startswith(want), (text[:80], line)

    def send(self, user, data):
        self.sock.sendall(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user.encode())
        for want in (b"250", b"250", b"354"):
            line = self.reply()
            assert line.startswith(want), line
        self.say(data + b"\r\n.\r\n", b"250")

    def close(self):
        self.sock.close()


def message(rng, number, size=2500):
    """A message like those that people get: a dozen headers, two parts."""
    words = "mail server index folder message client reads writes today quickly small large house floor".split()
    subject = " ".join(rng.choice(words) for _ in range(6))
    text = "\r\n".join(" ".join(rng.choice(words) for _ in range(11)) for _ in range(size // 80))
    return (f"Received: from mx{number % 7}.example.net (mx [192.0.2.{number % 250}])\r\n\tby mail.example.org with ESMTPS\r\n"
            f"\tid {number:012x}; Mon, {1 + number % 28} Jun 2026 10:{number % 60:02d}:00 +0200\r\n"
            f"From: Person {number % 100} <person{number % 100}@example.net>\r\nTo: A User <user@example.org>, "
            f"Other <other{number % 9}@example.org>\r\nCc: list@example.com\r\nSubject: {subject} {number}\r\n"
            f"Date: Mon, {1 + number % 28} Jun 2026 10:{number % 60:02d}:{number % 59:02d} +0200\r\n"
            f"Message-ID: <{number}.bench@example.net>\r\nIn-Reply-To: <{number - 1}.bench@example.net>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_b\"\r\n\r\n--=_b\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n"
            f"--=_b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{subject}</p>\r\n--=_b--\r\n").encode()


def make_maildir(path, count, size=2500, seed=1):
    """A Maildir of count messages in cur/, LF line ends, sizes in the names."""
    rng = random.Random(seed)
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{path}/{sub}")
    texts = [message(rng, n, size) for n in range(min(count, 500))]
    for n in range(count):
        crlf = texts[n % len(texts)]
        lf = crlf.replace(b"\r\n", b"\n")
        flags = rng.choice(["S", "S", "S", "RS", "FS", ""])
        name = f"{path}/cur/{1700000000 + n}.M{n % 1000000}P1.bench,S={len(lf)},W={len(crlf)}:2,{flags}"
        with open(name, "wb") as f:
            f.write(lf)
        os.utime(name, (1700000000 + n, 1700000000 + n))
    return path


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def in_threads(one, count):
    """Calls one(0) ... one(count - 1) at the same time and waits for all."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        list(pool.map(one, range(count)))


class Clock:
    """Wall and server processor time of a block."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        self.cpu0, self.wall0 = self.server.cpu(), time.perf_counter()
        return self

    def __exit__(self, *ignored):
        self.wall = time.perf_counter() - self.wall0
        self.cpu = self.server.cpu() - self.cpu0
