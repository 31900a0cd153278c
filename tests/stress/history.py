"""What happened to the files, and when: each that appears in or goes from a mailbox, as inotify tells it, and what was done by hand.

A find is often told of long after it happened. So everything that may bear upon a message is noted with its time, by those who
know of it: what clients were about to do (truth.py), what the outsiders did, what was killed, and, here, every name that a file
ever had. Where inotify is not to be had the files' part is missing.
"""
import bisect
import collections
import contextlib
import ctypes
import os
import re
import struct
import threading
import time

CREATE, DELETE, MOVED_FROM, MOVED_TO, OVERFLOW = 0x100, 0x200, 0x40, 0x80, 0x4000
EVENT = struct.Struct("iIII")
KINDS = {CREATE: "appears", DELETE: "goes", MOVED_FROM: "is moved away", MOVED_TO: "is moved here"}


class Files(threading.Thread):
    """The files of all users' mailboxes, also of mailboxes that are made later."""

    def __init__(self, roots, deed):
        super().__init__(daemon=True)
        self.roots, self.places, self.deed = roots, {}, deed  # user: directory; watch: (user, directory)
        self.events = collections.defaultdict(list)   # (user, base name): [(time, text)]
        self.tokens = {}                              # base name: which message
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_CLOEXEC)
        if self.fd < 0:
            return
        for user, root in roots.items():
            self.watch(user, root)
            for name in os.listdir(root):
                self.folder(user, f"{root}/{name}")
        self.start()

    def watch(self, user, path):
        number = self.libc.inotify_add_watch(self.fd, path.encode(), CREATE | DELETE | MOVED_FROM | MOVED_TO)
        if number >= 0:
            self.places[number] = user, path

    def folder(self, user, path):
        """A directory of the root: a mailbox of Maildir++, or a part of the INBOX. A watch stays with what is renamed."""
        name = os.path.basename(path)
        for place in (path,) if name in ("cur", "new") else (f"{path}/new", f"{path}/cur") if name[0] == "." else ():
            self.watch(user, place)
            with contextlib.suppress(OSError):
                for file in os.listdir(place):
                    self.see(user, place, file, "is there")

    def run(self):
        while True:
            data, at = os.read(self.fd, 1 << 18), 0
            while at < len(data):
                number, mask, _, n = EVENT.unpack_from(data, at)
                name = data[at + EVENT.size:at + EVENT.size + n].rstrip(b"\0").decode("utf-8", "replace")
                at += EVENT.size + n
                self.event(number, mask, name)

    def event(self, number, mask, name):
        user, place = self.places.get(number, ("", ""))
        kind = next((text for bit, text in KINDS.items() if mask & bit), None)
        if mask & OVERFLOW:
            self.deed("so much happens that inotify does not tell all of it")
        elif place == self.roots.get(user):
            if mask & (CREATE | MOVED_TO):
                self.folder(user, f"{place}/{name}")
        elif kind:
            self.see(user, place, name, kind)

    def see(self, user, place, file, kind):
        base = file.partition(":2,")[0]
        self.events[user, base].append((time.time(), f"the file {os.path.relpath(f'{place}/{file}', self.roots.get(user))} {kind}"))
        if base not in self.tokens:
            try:
                with open(f"{place}/{file}", "rb") as f:
                    m = re.search(rb"^Subject: s(\d+)", f.read(65536), re.M)
            except OSError:
                return
            if m:
                self.tokens[base] = int(m[1])

    def of(self, user, token):
        """All that happened to the files of a message."""
        return [(at, text) for (who, base), events in list(self.events.items())
                if who == user and self.tokens.get(base) == token for at, text in events]


class History:
    def __init__(self, roots):
        self.deeds, self.start = [], time.time()
        self.files = Files(roots, self.deed)

    def deed(self, text):
        """What bears upon everything: something was killed, or deleted."""
        self.deeds.append((time.time(), text))

    def by_hand(self, user, file, text):
        self.files.events[user, file.partition(":2,")[0]].append((time.time(), text))

    def write(self, path):
        """All that happened to files."""
        lines = [(at, f"{user} {base}: {text}") for (user, base), events in list(self.files.events.items()) for at, text in events]
        with open(path, "w") as f:
            f.writelines(f"{at:.6f} {text}\n" for at, text in sorted(lines + self.deeds))

    def of(self, box, uid, boxes):
        """The lines about one message: what is known of it, of its copies in the other mailboxes of the user, and of their files."""
        token = box.tokens.get(uid)
        lines = [(at, f"UID {u} of {b}: {text}") for b in boxes if b.user == box.user for u, story in b.story.items()
                 if (b, u) == (box, uid) or (token is not None and b.tokens.get(u) == token) for at, text in story]
        lines += self.files.of(box.user, token)
        lines.sort()
        if lines:
            lines += self.deeds[bisect.bisect(self.deeds, lines[0]):]
            lines += [said for said in box.said if said > lines[0]]
        return [f"{at - self.start:9.3f} {text}" for at, text in sorted(lines)]
