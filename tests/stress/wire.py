"""One IMAP connection of the stress program: whole responses in, commands out, COMPRESS, and the parser of what comes."""
import asyncio
import collections
import os
import re
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import imapresponse  # noqa: E402


class Wrong(Exception):
    """The server said what the model rules out; of which messages of which mailbox, where that is known."""

    def __init__(self, text, box=None, uids=()):
        super().__init__(text)
        self.box, self.uids = box, sorted(uids)


class Lost(Exception):
    """The connection ended."""


def parse(data):
    try:
        return imapresponse.parse(data)
    except ValueError as e:
        raise Wrong(f"the response does not parse: {e}") from e


def numbers(text):
    """A sequence set as a list, in its order."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        first, last = int(first), int(last or first)
        found += range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return found


def as_set(some):
    """The other way round."""
    parts = []
    for n in sorted(some):
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)


class Trace(collections.deque):
    """The last lines of a connection; with a file, all of them, and when."""

    def __init__(self, path):
        super().__init__(maxlen=400)
        self.file = open(path, "ab") if path else None

    def append(self, line):
        super().append(line)
        if self.file:
            self.file.write(b"%.6f %s\n" % (time.time(), line))

    def close(self):
        if self.file:
            self.file.close()
            self.file = None


class Wire:
    def __init__(self, reader, writer, log=None):
        self.reader, self.writer = reader, writer
        self.got, self.inflate, self.deflate = b"", None, None
        self.trace = Trace(log)

    async def line(self, timeout=60):
        """One response without its last line end, literals included."""
        at = 0
        while True:
            end = self.got.find(b"\r\n", at)
            if end < 0:
                await self.more(timeout)
                continue
            literal = re.search(rb"\{(\d+)\}$", self.got[at:end])
            if not literal:
                break
            at = end + 2 + int(literal[1])
            while len(self.got) < at:
                await self.more(timeout)
        data, self.got = self.got[:end], self.got[end + 2:]
        self.trace.append(b"S: " + (data if len(data) < 500 else data[:400] + b" ... " + data[-60:]))
        return data

    async def more(self, timeout):
        try:
            piece = await asyncio.wait_for(self.reader.read(1 << 18), timeout)
        except asyncio.TimeoutError:  # an OSError, too
            raise
        except OSError as e:
            raise Lost(str(e)) from e
        if not piece:
            raise Lost("the server closed the connection")
        self.got += self.inflate.decompress(piece) if self.inflate else piece

    async def send(self, data):
        self.trace.append(b"C: " + data[:400])
        data += b"\r\n"
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as e:
            raise Lost(str(e)) from e

    def may_cut(self):
        return self.writer.can_write_eof()  # not with TLS

    async def cut(self):
        """Nothing more is said, and what is answered not heard; at its end the server is done with it."""
        self.trace.append(b"-- cut")
        try:
            self.writer.write_eof()
            while await asyncio.wait_for(self.reader.read(1 << 18), 60):
                pass
        except OSError as e:
            raise Lost(str(e)) from e
        raise Lost("cut off")

    def compress(self):
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)
        if self.got:
            self.got = self.inflate.decompress(self.got)

    def close(self):
        self.writer.close()
        self.trace.close()
