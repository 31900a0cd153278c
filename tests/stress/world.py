"""What the clients run against: the whole server, or processes of tests/tools/imapstdio that share a folder; and what else
happens there: deliveries, another program in the Maildir, processes that are killed, an index that is deleted."""
import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
from acts import STABLE  # noqa: E402
from history import History  # noqa: E402
from truth import Truth  # noqa: E402
from wire import Lost, Wrong  # noqa: E402

LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


def folder_of(root, name):
    return root if name == "INBOX" else f"{root}/.{name}"


def make_maildir(root, owner):
    for name in STABLE:
        for sub in ("cur", "new", "tmp"):
            os.makedirs(f"{folder_of(root, name)}/{sub}")
    if owner:
        for base, _, _ in os.walk(root):
            os.chown(base, *owner)


def uid_list(folder):
    """base name: uid, as dovecot-uidlist has it."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        with open(f"{folder}/dovecot-uidlist", errors="replace") as f:
            f.readline()
            for line in f:
                words, _, base = line.rstrip("\n").partition(" :")
                if base and words.split()[0].isdigit():
                    found[base] = int(words.split()[0])
    return found


def on_disk(folder):
    """uid: flags, as another program reads the folder; None while a file is not listed."""
    uids, letters, extra, masks = uid_list(folder), dict(LETTERS), {}, {}
    with contextlib.suppress(FileNotFoundError):
        for line in open(f"{folder}/dovecot-keywords"):
            n, name = line.split()
            letters[chr(ord("a") + int(n))] = name
    with contextlib.suppress(FileNotFoundError):
        for line in open(f"{folder}/roost-extra", errors="replace"):
            words = line.split()
            if words[0] == "n":
                extra[int(words[1])] = words[2]
            elif words[0] == "k":
                masks[words[2]] = int(words[1], 16)
    found = {}
    for sub in ("new", "cur"):
        for name in os.listdir(f"{folder}/{sub}"):
            base, _, flags = name.partition(":2,")
            if base not in uids or uids[base] in found:
                return None
            mask = masks.get(base, 0)
            found[uids[base]] = frozenset([letters[c] for c in flags.split(",")[0]] + [extra[n] for n in range(64) if mask >> n & 1])
    return found


class Outsider:
    """Another program in a Maildir, which keeps Dovecot's rules: a file is never written to twice, letters it does not know stay."""

    def __init__(self, truth, history, user, root, seed, owner):
        self.truth, self.by_hand, self.user, self.root, self.owner = truth, history.by_hand, user, root, owner
        self.rng, self.count, self.changes = random.Random(f"{seed}/outsider/{user}"), 0, 0

    def act(self):
        name = self.rng.choice(STABLE)
        folder = folder_of(self.root, name)
        kind = self.rng.choice(("deliver", "deliver", "flag", "flag", "flag", "see", "remove"))
        files = os.listdir(f"{folder}/{'new' if kind == 'see' else 'cur'}")
        if kind == "deliver":
            self.deliver(name, folder)
        elif files:
            with contextlib.suppress(FileNotFoundError):
                getattr(self, kind)(name, folder, self.rng.choice(sorted(files)))
                self.changes += 1

    def deliver(self, name, folder, to="new", flags=""):
        token, data = self.truth.message("outsider", "\n")
        self.count += 1
        file = f"{int(time.time())}.F{self.count}R{self.rng.getrandbits(32):x}.outsider"
        with open(f"{folder}/tmp/{file}", "wb") as f:
            f.write(data)
        if self.owner:
            os.chown(f"{folder}/tmp/{file}", *self.owner)
        self.truth.allowed[self.user, name, token] += 1
        os.rename(f"{folder}/tmp/{file}", f"{folder}/{to}/{file}{flags}")
        self.truth.adopted[self.user, name].add(token)
        self.by_hand(self.user, file, f"an outsider delivered it to {name}")
        self.changes += 1

    def flag(self, name, folder, file):
        base, _, flags = file.partition(":2,")
        kept = "".join(c for c in flags if c not in "DFRS")
        new = f"{base}:2,{''.join(sorted(self.rng.sample('DFRS', self.rng.randint(0, 3))))}{kept}"
        self.by_hand(self.user, file, f"an outsider renames {file} to {new} in {name}")
        os.rename(f"{folder}/cur/{file}", f"{folder}/cur/{new}")

    def see(self, name, folder, file):
        self.by_hand(self.user, file, f"an outsider takes {file} out of new/ of {name}")
        os.rename(f"{folder}/new/{file}", f"{folder}/cur/{file.partition(':2,')[0]}:2,")

    def remove(self, name, folder, file):
        """Only what has a UID, so that everybody knows which may go."""
        uid = uid_list(folder).get(file.partition(":2,")[0])
        with open(f"{folder}/cur/{file}", "rb") as f:
            token = int(re.search(rb"^Subject: s(\d+)", f.read(65536), re.M)[1])
        boxes = [b for b in self.truth.boxes.values() if b.user == self.user and b.name == name]
        if uid is None or len(boxes) != 1:
            return
        boxes[0].doom({uid}, "an outsider is about to remove its file")
        self.truth.doomed_tokens[self.user, name].add(token)
        self.by_hand(self.user, file, f"an outsider removes {file} from {name}")
        os.unlink(f"{folder}/cur/{file}")


class World:
    def __init__(self, args):
        self.args, self.truth = args, Truth(args.seed)
        self.parallel = args.parallel > 1
        self.may_change = {"SAVEDATE"} if args.delete_index or args.lose_index else set()  # a rebuilt index has it from the file's ctime
        self.recent_again = bool(args.lose_index)  # that a message is to leave new/ is written nowhere else
        self.generations, self.clients, self.killed, self.kills, self.indexes, self.delivered = 0, [], 0.0, 0, 0, 0
        self.rng = random.Random(f"{args.seed}/world")
        self.log = args.keep and f"{args.keep}/{args.seed}"
        if self.log:
            shutil.rmtree(self.log, ignore_errors=True)
            os.makedirs(self.log)

    def log_of(self, number):
        return self.log and f"{self.log}/client{number}"

    def found(self, failed):
        """A run is over: what it kept is of use only when it found something."""
        if self.log and failed:
            self.history.write(f"{self.log}/files")
        elif self.log:
            shutil.rmtree(self.log, ignore_errors=True)

    def next_generation(self):
        self.generations += 1
        return self.generations

    def without(self, act):
        return act in self.args.without

    def often(self, act):
        return 8 if act in self.args.more else 1

    def set_up(self, owner):
        for user in self.users:
            make_maildir(self.root(user), owner)
        self.history = History({u: self.root(u) for u in self.users})
        self.outsiders = [Outsider(self.truth, self.history, u, self.root(u), self.args.seed, owner) for u in self.users]
        for outsider in self.outsiders:
            for name in STABLE:
                for _ in range(self.args.fill):
                    outsider.deliver(name, folder_of(outsider.root, name), "cur", ":2,S")

    def may_be_lost(self):
        """Whether a connection may end now: something was killed."""
        return time.monotonic() - self.killed < 8

    # --- trouble

    def kill(self):
        pids = self.workers()
        if pids:
            self.killed = time.monotonic()
            self.kills += 1
            with contextlib.suppress(ProcessLookupError):
                pid = self.rng.choice(pids)
                self.history.deed(f"worker {pid} is killed")
                os.kill(pid, signal.SIGKILL)

    def delete_index(self):
        path = self.index(self.rng.choice(self.users))
        self.history.deed(f"{path} is deleted")
        self.indexes += 1
        shutil.rmtree(path, ignore_errors=True)


class Stdio(World):
    """Processes of tests/tools/imapstdio, one user."""

    def __init__(self, args):
        super().__init__(args)
        self.users = ["u0"]
        self.dir = self.log or tempfile.mkdtemp(prefix="roost-stress-")
        self.set_up(None)
        tool = os.path.join(os.environ.get("ROOST_BUILD", TOP), "tests/tools/imapstdio")
        self.procs, self.turn = [], 0
        for i in range(args.servers):
            under = args.under.replace("{}", f"{self.dir}/server{i}").split()
            self.procs.append(subprocess.Popen([*under, tool, "-m", self.root("u0"), "-s", f"{self.dir}/socket{i}", "-i", self.index("u0")],
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            self.procs[-1].stdout.readline()

    def root(self, user):
        return f"{self.dir}/Maildir"

    def index(self, user):
        return f"{self.dir}/index"

    def workers(self):
        return []

    async def connect(self, user, tls):
        self.turn += 1
        return await asyncio.open_unix_connection(f"{self.dir}/socket{self.turn % len(self.procs)}")

    async def deliver(self):
        pass

    def stop(self):
        for proc in self.procs:
            proc.stdin.close()
        codes = [proc.wait(60) for proc in self.procs]
        if not self.log:
            shutil.rmtree(self.dir, ignore_errors=True)
        if any(codes):
            raise Wrong(f"the servers ended with {codes}")


class Whole(World):
    """The installed server: login, TLS or not, LMTP."""

    def __init__(self, args):
        from testsite import GID, ROOT, UID, Site  # needs ROOST_PREFIX
        super().__init__(args)
        self.users = [f"u{n}@example.org" for n in range(args.users)]
        extra = "mail_max_userip_connections = 100\n" + ("worker_mode = pooled\n" if args.pooled else "")
        self.site = Site({u: "secret" for u in self.users}, extra=extra, start=False)
        self.set_up((UID, GID) if ROOT else None)
        if ROOT:
            for base, _, _ in os.walk(f"{self.site.dir}/mail"):
                os.chown(base, UID, GID)
        self.site.start()
        self.context = self.site.tls()

    def root(self, user):
        return self.site.maildir(user)

    def index(self, user):
        return f"{self.root(user)}/roost.index"

    def workers(self):
        return self.site.kids("roost-worker")

    async def connect(self, user, tls):
        end = time.monotonic() + 20
        while True:
            try:
                if tls:
                    return await asyncio.open_connection("127.0.0.1", self.site.imaps_port, ssl=self.context)
                return await asyncio.open_connection("127.0.0.1", self.site.imap_port)
            except OSError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)

    async def deliver(self):
        """One message over LMTP to one or two users; what is answered 250 must be there."""
        token, data = self.truth.message("lmtp")
        to = self.rng.sample(self.users, min(len(self.users), self.rng.choice((1, 1, 2))))
        for user in to:
            self.truth.allowed[user, "INBOX", token] += 1
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.lmtp_port)
        try:
            await self.reply(reader)
            for line in ("LHLO stress", "MAIL FROM:<s@example.org>", *(f"RCPT TO:<{u}>" for u in to), "DATA"):
                writer.write(line.encode() + b"\r\n")
                code = await self.reply(reader)
                if code >= 400:
                    return
            writer.write(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            for user in to:
                if await self.reply(reader) == 250:
                    self.truth.adopted[user, "INBOX"].add(token)
                    self.delivered += 1
                elif not self.may_be_lost():
                    raise Wrong(f"the delivery to {user} is refused")
        except (OSError, Lost):
            if not self.may_be_lost():
                raise
        finally:
            writer.close()

    @staticmethod
    async def reply(reader):
        while True:
            line = await asyncio.wait_for(reader.readline(), 60)
            if not line:
                raise Lost("LMTP: the server closed the connection")
            if line[3:4] == b" ":
                return int(line[:3])

    def stop(self):
        self.site.__exit__(None, None, None)
