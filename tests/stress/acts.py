"""The random client: what it says, and what it knows about the answers beyond the model of the mailbox."""
import asyncio
import base64
import random
import re
import time

from model import Command, Model
from wire import Lost, Wire, Wrong, as_set, numbers

SYSTEM = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft"]
SHARED = ["$Work", "Later", "$Forwarded"]
STABLE = ("INBOX", "Other", "Deep.Er")
LEVELS = ("", "CONDSTORE", "QRESYNC", "", "QRESYNC", "QRESYNC")
KEYS = ("ALL", "SEEN", "UNSEEN", "FLAGGED", "NOT FLAGGED", "KEYWORD $Work", "OR ANSWERED DRAFT", "SUBJECT plan", "BODY alpha", "LARGER 300",
        "SINCE 1-Jan-2015", "NOT (SEEN FLAGGED)", "TO lunch", "HEADER References stress", "TEXT omega", "OLDER 1", "YOUNGER 100000")
SORTS = ("ARRIVAL", "DATE", "SUBJECT", "REVERSE DATE", "SIZE", "FROM SUBJECT", "REVERSE SUBJECT TO", "DISPLAYFROM")
ITEMS = ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]",
         "BODY.PEEK[1]", "BODY.PEEK[2.MIME]", "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)]", "BODY.PEEK[]<5.40>", "BODY[TEXT]<0.10>", "BODY[]",
         "RFC822.HEADER")
MORE_ITEMS = {"BINARY": ("BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY.PEEK[1]<0.7>"), "PREVIEW": ("PREVIEW",), "SAVEDATE": ("SAVEDATE",),
              "OBJECTID": ("EMAILID", "THREADID")}
# weight, name, needs a capability, needs a selected mailbox
ACTS = ((8, "store", "", True), (6, "store_own", "", True), (4, "if_unchanged", "CONDSTORE", True), (5, "append", "", False), (1, "append_many", "MULTIAPPEND", False),
        (2, "catenate", "CATENATE", True), (2, "replace", "REPLACE", True), (5, "fetch", "", True), (4, "noop", "", True), (3, "delete", "", True),
        (2, "expunge", "", True), (2, "uid_expunge", "UIDPLUS", True), (3, "copy", "", True), (3, "move", "MOVE", True), (2, "search", "", True),
        (3, "esearch", "ESEARCH", True), (2, "saved", "SEARCHRES", True), (2, "sort", "SORT", True), (1, "thread", "THREAD=REFERENCES", True),
        (2, "status", "", False), (1, "list", "", False), (4, "idle", "IDLE", True), (4, "select", "", False), (1, "leave", "UNSELECT", True),
        (3, "changed", "CONDSTORE", True), (3, "folder", "", False), (1, "subscribe", "", False), (1, "compress", "COMPRESS=DEFLATE", False),
        (3, "pipeline", "", True), (2, "partial", "PARTIAL", True), (2, "context", "CONTEXT=SEARCH", True), (1, "notify", "NOTIFY", True),
        (1, "drop", "", False), (1, "cut", "", True), (1, "small_talk", "", False))
NEEDS = {name: need for _, name, need, _ in ACTS}
CUT = ("append", "append_many", "replace", "copy", "copy", "copy", "move", "move", "store", "store_own", "delete", "expunge", "uid_expunge")


class Anything:
    def __contains__(self, name):
        return True


class Subscribed(Anything):
    def __contains__(self, name):
        return name != "INBOX"  # the site subscribes some of its own


class Client(Model):
    def __init__(self, world, number):
        self.world, self.truth, self.number = world, world.truth, number
        self.user = world.users[number % len(world.users)]
        self.level = LEVELS[number % len(LEVELS)]
        self.rng = random.Random(f"{world.args.seed}/{number}")
        self.keywords = [f"k{number}{c}" for c in "abc"]
        self.own, self.kept = {}, {}   # (box, uid): {keyword: set?}; mailbox: what a QRESYNC client keeps
        self.folders, self.subscribed, self.sure = set(), set(), True
        self.tag, self.generation, self.wire, self.busy = 0, 0, None, False
        self.enabled, self.capable, self.commands = set(), set(), 0
        self.watched, self.told_of, self.at_once = (), {}, False
        self.cutting = False
        self.forget()

    # --- the connection

    async def connect(self):
        self.wire = Wire(*await self.world.connect(self.user, self.rng.random() < 0.5), self.world.log_of(self.number))
        self.enabled, self.busy_contexts = set(), {}
        self.cutting = False
        self.watched, self.told_of, self.at_once = (), {}, False  # NOTIFY: mailboxes; what STATUS said of them; EXPUNGE at any time
        self.generation = self.world.next_generation()
        self.forget()
        greeting = await self.wire.line()
        if not greeting.startswith(b"* PREAUTH"):
            command = await self.say(f"LOGIN {self.user} secret", ("OK", "NO"))
            if command.cond == "NO":
                raise Lost(command.line)  # right only when a worker was killed
        if not self.capable:
            self.capable = await self.capability()
        if self.level == "QRESYNC" or (self.level and self.rng.random() < 0.7):
            await self.enable(self.level)

    async def capability(self):
        command = await self.say("CAPABILITY")
        return set(command.capability.split())

    async def enable(self, what):
        await self.say(f"ENABLE {what}")
        self.enabled |= {what, "CONDSTORE"}

    def untagged(self, data, command):
        if data.startswith(b"* CAPABILITY "):
            command.capability = data[13:].decode()
        super().untagged(data, command)

    def command(self, text):
        self.tag += 1
        return Command(f"c{self.number}t{self.tag}", text)

    async def say(self, text, ok=("OK",), then=None):
        """One command; text may be bytes where it holds a message."""
        data = text.encode() if isinstance(text, str) else text
        command = self.command(data[:4000].decode("latin-1"))
        self.commands += 1
        await self.wire.send(command.tag.encode() + b" " + data)
        if self.cutting and command.name != "FETCH":
            await self.wire.cut()
        if await self.answer([command]):
            raise Wrong(f"a continuation for {command.text[:200]}")
        self.must_be(command, ok)
        return command

    @staticmethod
    def must_be(command, ok):
        if command.cond not in ok:
            raise Wrong(f"{command.text[:200]} is answered {command.line}")

    async def act(self):
        if self.wire is None:
            await self.connect()
        acts = [(w, name) for w, name, need, selected in ACTS
                if (not need or need in self.capable) and (not selected or self.name) and not self.world.without(name)]
        name = self.rng.choices([a[1] for a in acts], [a[0] * self.world.often(a[1]) for a in acts])[0] if self.name or self.rng.random() < 0.3 else "select"
        await getattr(self, "do_" + name)()

    def lost(self):
        """The connection is gone; what was kept stays."""
        self.keep()
        if self.wire:
            self.wire.close()
        self.wire = None
        self.forget()

    # --- choosing

    def mailbox(self):
        """A name to copy to; with some chance one that a client may just remove."""
        others = [f for c in self.world.clients if c.user == self.user for f in c.folders]
        return self.rng.choice(sorted(others)) if others and self.rng.random() < 0.15 else self.rng.choice(STABLE)

    def some(self, uid, most=40):
        """A set of messages as text, and their UIDs where known; or None."""
        live = [i for i, m in enumerate(self.msgs) if m.uid or not uid]
        if not live:
            return None, set()
        if self.rng.random() < 0.15 and most >= 40:
            return "1:*", {m.uid for m in self.msgs}
        live = sorted(self.rng.sample(live, min(len(live), most, self.rng.choice((1, 1, 2, 5, 40)))))
        uids = {self.msgs[i].uid for i in live}
        return as_set(uids if uid else {i + 1 for i in live}), uids

    def flags(self, most=3):
        return self.rng.sample(SYSTEM + SHARED, self.rng.randint(0, most))

    async def doom(self, uids, what, flag=False):
        """Before something that removes (or lets others): everybody must know which messages these are."""
        box = self.box
        unknown = uids - set(box.tokens)
        if unknown:
            await self.say(f"UID FETCH {as_set(unknown)} (ENVELOPE)", ("OK", "NO"))
        uids = {u for u in uids if u in box.tokens}
        box.doom(uids, f"client {self.number} is about to say {what}", flag)
        self.truth.doomed_tokens[self.user, self.name] |= {box.tokens[u] for u in uids}
        return uids

    def allow(self, name, tokens):
        for token in tokens:
            self.truth.allowed[self.user, name, token] += 1
            self.truth.copied_tokens[self.user, name].add(token)

    def forget_flags(self, uids):
        for m in self.msgs:
            if uids is None or m.uid in uids or m.uid is None:
                m.flags = None

    # --- selecting

    def keep(self):
        """The mailbox is about to be left."""
        if self.level == "QRESYNC" and self.name and self.known and not self.readonly:
            self.kept[self.name] = self.box.uidvalidity, self.known, [(m.uid, m.flags) for m in self.msgs]

    async def do_select(self):
        self.keep()
        name = self.mailbox()
        readonly = self.opening = self.rng.random() < 0.12
        verb = "EXAMINE" if readonly else "SELECT"
        kept = self.kept.get(name)
        more, known = "", None
        if kept and "QRESYNC" in self.enabled and self.rng.random() < 0.85:
            more, known = self.resync(kept)
        elif self.level and not self.enabled:
            more = " (CONDSTORE)"
        if not self.box:
            self.opens()
        command = await self.say(f"{verb} {name}{more}", ("OK", "NO"))
        if command.cond == "NO":
            if name in STABLE:
                raise Wrong(f"{verb} {name}: {command.line}")
            self.forget()
            return
        self.name = name
        self.told_of.pop(name, None)  # what happens while it is selected is not told by STATUS
        if name in STABLE:
            self.box.name = name
        if more:
            self.enabled.add("CONDSTORE")
        if more and "QRESYNC" in more and kept[0] == self.box.uidvalidity:
            self.resynced(command, kept, known)
        if any(m.uid is None for m in self.msgs) or self.rng.random() < 0.3:
            gone_before = set(command.removed)
            fetch = await self.say(f"UID FETCH 1:* (FLAGS{' MODSEQ' if self.enabled else ''})")
            if known is not None and kept[0] == self.box.uidvalidity:
                here = {m.uid for m in self.msgs} | fetch.removed | gone_before
                missing = ({u for u, _ in kept[2] if u} & known) - command.earlier - here
                if missing:
                    raise Wrong(f"UIDs {sorted(missing)} are gone, QRESYNC from {kept[1]} did not say so")

    def resync(self, kept):
        """The parameter, and the UIDs of which the answer must tell."""
        uidvalidity, modseq, msgs = kept
        had = {uid for uid, _ in msgs if uid}
        if not had or self.rng.random() < 0.5:
            return f" (QRESYNC ({uidvalidity} {modseq}))", had
        which = " " + as_set(had)
        if len(had) == len(msgs) and self.rng.random() < 0.5:
            pairs = sorted(self.rng.sample(range(len(msgs)), min(len(msgs), 3)))
            which += f" ({','.join(str(i + 1) for i in pairs)} {','.join(str(msgs[i][0]) for i in pairs)})"
        return f" (QRESYNC ({uidvalidity} {modseq}{which}))", had

    def resynced(self, command, kept, known):
        """What was kept and what is told now must give what is there."""
        had = {uid: flags for uid, flags in kept[2] if uid}
        subset = command.text.count("(") > 1 and re.search(r"\(QRESYNC \(\d+ \d+ ", command.text)
        if subset and command.earlier - set(had):
            raise Wrong(f"VANISHED (EARLIER) {sorted(command.earlier - set(had))}, which was not asked")
        if self.known < kept[1]:
            raise Wrong(f"HIGHESTMODSEQ was {kept[1]} and is {self.known}")
        if len(had) < len(kept[2]):
            return
        uids = sorted((set(had) - command.earlier) | set(command.told))
        if len(uids) != len(self.msgs):
            if subset:
                return
            raise Wrong(f"QRESYNC leads to {len(uids)} messages, there are {len(self.msgs)}")
        for n, (m, uid) in enumerate(zip(self.msgs, uids), 1):
            self.is_uid(n, m, uid)
            if m.flags is None:
                m.flags = had[uid]

    async def do_leave(self):
        self.keep()
        if self.rng.random() < 0.8:
            await self.say("UNSELECT")
        else:
            await self.expunge("CLOSE")
        self.forget()

    async def do_drop(self):
        if self.rng.random() < 0.5:
            self.wire.trace.append(b"-- logs out")
            await self.wire.send(b"bye LOGOUT")
        self.lost()

    async def do_cut(self):
        """A command whose answer is never seen: the connection ends before, and nobody knows how far it came."""
        act = self.rng.choice([act for act in CUT if not self.world.without(act) and NEEDS[act] in {"", *self.capable}])
        self.cutting = self.wire.may_cut()
        await getattr(self, "do_" + act)()
        self.cutting = False

    # --- flags

    async def do_store(self):
        if self.readonly:
            return
        uid = self.at_once or self.rng.random() < 0.5
        which, uids = self.some(uid)
        if not which:
            return
        mode = self.rng.choice("+-")
        if self.rng.random() < 0.2 and None not in uids and which != "1:*":
            mode, uids = "", {u for u in uids if u % 3 == 0}  # only these ever lose what a client counts on
            uid, which = True, as_set(uids)
            if not uids:
                return
        silent = self.rng.random() < 0.3
        await self.say(f"{'UID ' if uid else ''}STORE {which} {mode}FLAGS{'.SILENT' if silent else ''} ({' '.join(self.flags())})", ("OK", "NO"))
        if silent:
            self.forget_flags(None if which == "1:*" else uids)

    async def do_store_own(self):
        """Keywords that only this client changes: what was acknowledged must be seen."""
        which, uids = self.some(True, 10)
        uids = {u for u in uids if u % 3}
        if self.readonly or not uids:
            return
        words, add, silent = self.rng.sample(self.keywords, self.rng.choice((1, 1, 2))), self.rng.random() < 0.6, self.rng.random() < 0.4
        box = self.box
        self.owned(box, uids, words, None)
        command = await self.say(f"UID STORE {as_set(uids)} {'+' if add else '-'}FLAGS{'.SILENT' if silent else ''} ({' '.join(words)})", ("OK", "NO"))
        if silent:
            self.forget_flags(uids)
        if command.cond == "OK":
            self.owned(box, uids, words, add)
            for uid in uids & set(command.told) if not silent else ():
                if uid not in box.gone and set(words) & command.told[uid] != (set(words) if add else set()):
                    raise Wrong(f"{command.text}: UID {uid} is told as {sorted(command.told[uid])}")

    def owned(self, box, uids, words, state):
        for uid in uids:
            self.own.setdefault((box, uid), {}).update(dict.fromkeys(words, state))

    async def do_if_unchanged(self):
        """
        Who changed since is named; who is not named has the new state. Only the keyword in question matters, where it is
        known: a change of others is no reason (RFC 7162 3.1.12), but with 0.
        """
        which, uids = self.some(True, 10)
        uids = {u for u in uids if u % 3}
        if self.readonly or not uids or not self.enabled:
            return
        limit, box, word = max(0, self.known - self.rng.choice((0, 0, 1, 5, 20))), self.box, self.rng.choice(self.keywords)
        add = self.rng.random() < 0.6
        newer = {m.uid for m in self.msgs if m.uid in uids and m.modseq > limit}
        had = {u: self.own.get((box, u), {}).get(word) for u in uids}
        self.owned(box, uids, [word], None)
        command = await self.say(f"UID STORE {as_set(uids)} (UNCHANGEDSINCE {limit}) {'+' if add else '-'}FLAGS ({word})", ("OK", "NO"))
        named = set(numbers(command.codes["MODIFIED"])) if "MODIFIED" in command.codes else set()
        if named - uids:
            raise Wrong(f"MODIFIED names {sorted(named - uids)}: {command.text}")
        if command.cond == "OK":
            self.owned(box, uids - named, [word], add)
        if limit and (spurious := {u for u in named if had[u] is (not add)}):
            raise Wrong(f"MODIFIED names {sorted(spurious)} without a reason: {command.text}")
        done = {u for u in newer - named - command.removed if had[u] is add}
        await self.do_noop()
        if self.box is box and done & {m.uid for m in self.msgs}:
            raise Wrong(f"UNCHANGEDSINCE {limit} let pass {sorted(done)}")

    # --- adding

    async def added(self, command, name, tokens, flags):
        """APPENDUID."""
        self.told_of.pop(name, None)  # of its own changes a client may not be told (RFC 5465 5)
        m = re.match(r"(\d+) (\S+)", command.codes.get("APPENDUID") or "")
        if command.cond != "OK":
            if name in STABLE:
                raise Wrong(f"{command.text[:100]} is answered {command.line}")
            return
        if not m and self.world.args.servers > 1:
            return  # another process may have numbered them out of order
        if not m:
            raise Wrong(f"no APPENDUID: {command.line}")
        box, uids = self.truth.box(self.user, m[1]), numbers(m[2])
        if len(uids) != len(tokens):
            raise Wrong(f"{len(tokens)} messages: {command.line}")
        for uid, token in zip(uids, tokens):
            box.token(uid, token)
            box.acknowledged(uid, f"client {self.number}, {command.text[:60]!r}")
            if uid % 3:
                self.owned(box, [uid], set(flags) & set(self.keywords), True)

    def literal(self, data):
        return b"{%d+}\r\n" % len(data) + data

    async def do_append(self, many=1):
        name, flags = self.mailbox(), self.flags() + self.rng.sample(self.keywords, self.rng.randint(0, 1))
        pairs = [self.truth.message(f"c{self.number}") for _ in range(many)]
        self.allow(name, [p[0] for p in pairs])
        data = b"APPEND " + name.encode()
        for _, text in pairs:
            data += f" ({' '.join(flags)}) ".encode() + self.literal(text)
        await self.added(await self.say(data, ("OK", "NO")), name, [p[0] for p in pairs], flags)

    async def do_append_many(self):
        await self.do_append(self.rng.randint(2, 5))

    def pieces(self, uid):
        """CATENATE of a new header and a part of a message: (text of the command, token, the message)."""
        source = self.truth.texts[self.box.tokens[uid]]
        body = source[source.index(b"\r\n\r\n") + 4:]
        token = self.truth.new_token()
        head = f"Subject: s{token} put together\r\nMessage-ID: <s{token}@stress>\r\n\r\n".encode()
        return (b"CATENATE (TEXT " + self.literal(head) + f' URL "/{self.name};UIDVALIDITY={self.box.uidvalidity}/;UID={uid}/;SECTION=TEXT")'.encode(),
                token, head + body)

    def complete(self):
        """A message whose bytes are known."""
        known = [m.uid for m in self.msgs if m.uid and self.truth.texts.get(self.box.tokens.get(m.uid))]
        return self.rng.choice(known) if known else None

    async def do_catenate(self):
        uid, name = self.complete(), self.mailbox()
        if uid is None:
            return
        text, token, data = self.pieces(uid)
        self.allow(name, [token])
        self.truth.texts[token] = data
        command = await self.say(b"APPEND " + name.encode() + b" () " + text, ("OK", "NO"))
        if command.cond == "NO" and (self.name not in STABLE or uid in self.box.doomed):
            return
        await self.added(command, name, [token], [])

    async def do_replace(self):
        """One message for another, in one step (RFC 8508)."""
        which = [u for u in (self.complete(),) if u]
        if self.readonly or not which or not await self.doom(set(which), "REPLACE"):
            return
        name = self.mailbox()
        token, text = self.truth.message(f"c{self.number}")
        self.allow(name, [token])
        command = await self.say(f"UID REPLACE {which[0]} {name} () ".encode() + self.literal(text), ("OK", "NO"))
        if command.cond == "OK":
            await self.added(command, name, [token], [])

    # --- removing and moving

    async def do_delete(self):
        which, uids = self.some(True, 5)
        if self.readonly or not which:
            return
        uids = await self.doom({u for u in uids if u}, "STORE \\Deleted", flag=True)
        if uids and self.name:
            await self.say(f"UID STORE {as_set(uids)} +FLAGS (\\Deleted)", ("OK", "NO"))

    async def do_expunge(self):
        if not self.readonly:
            await self.expunge("EXPUNGE")

    async def do_uid_expunge(self):
        which, uids = self.some(True)
        if which and not self.readonly:
            await self.expunge(f"UID EXPUNGE {which}")

    async def expunge(self, text):
        self.box.said.append((time.time(), f"client {self.number} says {text}"))
        await self.say(text)

    async def do_copy(self, verb="COPY"):
        uid, name, box = self.at_once or self.rng.random() < 0.6, self.mailbox(), self.box
        which, uids = self.some(uid, 12)
        if not which or None in uids:
            return
        uids = await self.doom(uids, f"MOVE to {name}") if verb == "MOVE" else uids
        if not uids:
            return
        self.allow(name, [box.tokens[u] for u in uids if u in box.tokens])
        if uids - set(box.tokens):
            uid = True  # the numbers may change meanwhile
            fetched = await self.say(f"UID FETCH {as_set(uids)} (ENVELOPE)", ("OK", "NO"))
            self.allow(name, [box.tokens[u] for u in fetched.fetched if u in box.tokens])
        copy = self.truth.copy(box, uids, name)
        if uid or verb == "MOVE":
            command = await self.say(f"UID {verb} {as_set(uids)} {name}", ("OK", "NO"))
        else:
            command = await self.say(f"COPY {which} {name}", ("OK", "NO"))
        self.told_of.pop(name, None)
        m = re.match(r"(\d+) (\S+) (\S+)", command.codes.get("COPYUID") or "")
        if m:
            self.truth.copies.remove(copy)
            self.copied(command, self.truth.box(self.user, m[1]), numbers(m[2]), numbers(m[3]), uids)

    def copied(self, command, target, old, new, asked):
        if len(old) != len(new) or set(old) - asked and command.uid:
            raise Wrong(f"{command.text} gives {command.line}")
        for a, b in zip(old, new):
            if a in self.box.tokens:
                target.token(b, self.box.tokens[a])
            if command.cond == "OK":
                target.acknowledged(b, f"client {self.number}, {command.text[:60]!r}")
            self.box.copies.setdefault(a, []).append((target, b))
            if a in self.box.flagged:  # \Deleted comes along
                target.born_flagged(b)
        if command.name == "MOVE" and command.cond == "OK":
            still = set(old) & {x.uid for x in self.msgs}
            if still and target is not self.box:
                raise Wrong(f"{command.text}: {sorted(still)} are still there")

    async def do_move(self):
        if not self.readonly:
            await self.do_copy("MOVE")

    # --- reading

    async def do_noop(self):
        await self.say(self.rng.choice(("NOOP", "NOOP", "CHECK")))

    async def do_fetch(self):
        uid = self.at_once or self.rng.random() < 0.5
        which, uids = self.some(uid)
        if not which:
            await self.say("FETCH 1:* (UID FLAGS)", ("OK", "NO"))
            return
        choice = list(ITEMS) + [i for c, items in MORE_ITEMS.items() if c in self.capable for i in items]
        items = {"UID", *self.rng.sample(choice, self.rng.choice((1, 2, 4)))}
        if self.enabled:
            items.add("MODSEQ")
        items.add("FLAGS")
        command = await self.say(f"{'UID ' if uid else ''}FETCH {which} ({' '.join(sorted(items))})", ("OK", "NO"))
        self.complete_answer(command, uids if which != "1:*" else set())

    def complete_answer(self, command, uids):
        """All that was asked and is still there is answered."""
        self.is_untold({u for u in uids if u} - set(command.fetched), command)

    def is_untold(self, missing, command):
        if self.box:
            self.box.untold.update(dict.fromkeys(missing, f"client {self.number}'s {command.text[:200]} ({command.cond})"))

    async def do_changed(self):
        if not self.enabled:
            return
        since = max(1, self.known - self.rng.choice((0, 1, 10, 100)))
        vanished = " VANISHED" if "QRESYNC" in self.enabled and self.rng.random() < 0.7 else ""
        newer = {m.uid for m in self.msgs if m.uid and m.modseq > since}
        command = await self.say(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{vanished})")
        self.complete_answer(command, newer - command.removed - command.earlier)

    def in_view(self, uids, what):
        """What a search finds is in the mailbox that the session was told of."""
        known = [m.uid for m in self.msgs]
        if None not in known and not self.nameless and set(uids) - set(known) - self.box.gone:
            raise Wrong(f"{what}: UIDs {sorted(set(uids) - set(known))} are not there")

    def search_key(self):
        key = self.rng.choice(KEYS)
        if self.rng.random() < 0.3:
            which, _ = self.some(True)
            key = f"UID {which} {key}" if which else key
        return key

    async def do_search(self):
        uid = self.at_once or self.rng.random() < 0.5
        before = len(self.msgs)
        command = await self.say(f"{'UID ' if uid else ''}SEARCH {self.search_key()}")
        if uid:
            self.in_view(set(command.found) - command.removed, command.text)
        elif command.found and max(command.found) > max(before, len(self.msgs)):
            raise Wrong(f"{command.text} finds {max(command.found)} of {len(self.msgs)}")

    async def do_esearch(self):
        command = await self.say(f"UID SEARCH RETURN (MIN MAX COUNT ALL) {self.search_key()}")
        self.consistent(command)

    def consistent(self, command):
        found = command.extended
        uids = numbers(found["ALL"]) if "ALL" in found else []
        ends = (int(found.get("MIN", 0)), int(found.get("MAX", 0)), int(found.get("COUNT", -1)))
        if "UID" not in found or ends != ((min(uids), max(uids)) if uids else (0, 0)) + (len(uids),):
            raise Wrong(f"{command.text}: {found}")
        self.in_view(set(uids) - command.removed, command.text)
        return uids

    async def do_saved(self):
        """RETURN (SAVE) and what can be done with "$"."""
        command = await self.say(f"UID SEARCH RETURN (SAVE ALL) {self.search_key()}")
        self.saved = set(numbers(command.extended["ALL"])) if "ALL" in command.extended else set()
        self.saved -= command.removed
        if self.rng.random() < 0.5:
            await self.do_noop()
        use, saved = self.rng.choice(("SEARCH", "FETCH")), set(self.saved)
        again = await self.say("UID SEARCH RETURN (ALL) $" if use == "SEARCH" else "UID FETCH $ (UID)", ("OK", "NO"))
        found = set(again.fetched) if use == "FETCH" else set(numbers(again.extended["ALL"]) if "ALL" in again.extended else [])
        if use == "SEARCH" and found - saved:
            raise Wrong(f"$ was {sorted(saved)} and is {sorted(found)}")
        self.is_untold(saved - found - again.removed, again)
        self.saved = None

    async def do_sort(self):
        command = await self.say(f"UID SORT ({self.rng.choice(SORTS)}) UTF-8 {self.search_key()}")
        self.once(command, command.found)

    def once(self, command, uids):
        if len(uids) != len(set(uids)):
            raise Wrong(f"{command.text} names one twice: {uids}")
        self.in_view(set(uids) - command.removed, command.text)

    async def do_thread(self):
        ways = [c[7:] for c in self.capable if c.startswith("THREAD=")]
        command = await self.say(f"UID THREAD {self.rng.choice(sorted(ways))} UTF-8 {self.search_key()}")
        stack, uids = list(command.threads or []), []
        while stack:
            one = stack.pop()
            if isinstance(one, list):
                stack += one
            else:
                uids.append(int(one))
        self.once(command, uids)

    async def do_status(self):
        items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT" + (" HIGHESTMODSEQ" if self.enabled else "")
        items += " SIZE" if "STATUS=SIZE" in self.capable else ""
        command = await self.say(f"STATUS {self.rng.choice(STABLE)} ({items})")
        for name, found in command.status.items():
            box = self.truth.box(self.user, found["UIDVALIDITY"])
            least = max((u for u in box.acked), default=0)
            if int(found["UIDNEXT"]) <= 0 or (int(found["UIDNEXT"]) <= least and not self.world.parallel):
                raise Wrong(f"UIDNEXT of {name} is {found['UIDNEXT']}; UID {least} is given")

    async def do_list(self):
        """The client's own folders are as it made them."""
        more = " RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT))" if "LIST-STATUS" in self.capable and self.rng.random() < 0.7 else ""
        command = await self.say(f'LIST "" "T{self.number:03}*"{more}')
        found = {self.text_of(entry[3]) for entry in self.mine(command) if not {w.lower() for w in entry[1]} & {"\\noselect", "\\nonexistent"}}
        if self.sure and found != self.folders:
            raise Wrong(f"LIST tells of {sorted(found)}; made were {sorted(self.folders)}")
        self.folders, self.sure = found, True
        if more:
            told = {self.text_of(e[3]) for e in self.mine(command) if "\\subscribed" in {w.lower() for w in e[1]}}
            if self.subscribed is not None and told != self.subscribed & {self.text_of(e[3]) for e in self.mine(command)}:
                raise Wrong(f"LIST tells of subscriptions {sorted(told)}; made were {sorted(self.subscribed)}")
            if found - set(command.status):
                raise Wrong(f"no STATUS of {sorted(found - set(command.status))}")

    def mine(self, command):
        """The lines about folders of this client: NOTIFY tells of others."""
        return [e for e in command.lists if self.text_of(e[3]).startswith(f"T{self.number:03}")]

    @staticmethod
    def text_of(name):
        return name.decode() if isinstance(name, bytes) else name

    async def do_idle(self):
        command = self.command("IDLE")
        self.commands += 1
        await self.wire.send(command.tag.encode() + b" IDLE")
        await self.answer([command])
        end = asyncio.get_running_loop().time() + self.rng.random() * (0.5 if self.world.parallel else 0.03)
        while True:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            try:
                self.untagged(await self.wire.line(left), command)
            except asyncio.TimeoutError:
                break
        await self.wire.send(b"DONE")
        await self.answer([command])

    async def do_pipeline(self):
        """Several at once, none of which makes the others ambiguous (RFC 3501 5.5): all by UID."""
        which, uids = self.some(True)
        if not which:
            return
        texts = [f"UID FETCH {which} (FLAGS)", "NOOP", f"UID SEARCH {self.rng.choice(KEYS)}", f"STATUS Other (MESSAGES)", "NOOP", f"UID FETCH {which} (ENVELOPE)"]
        if not self.readonly:
            texts += [f"UID STORE {which} +FLAGS ({self.rng.choice(SHARED)})", f"UID STORE {which} -FLAGS (\\Flagged)"]
        commands = [self.command(t) for t in self.rng.sample(texts, 3)]
        self.commands += 3
        await self.wire.send(b"\r\n".join(f"{c.tag} {c.text}".encode() for c in commands))
        await self.answer(commands)
        for c in commands:
            self.must_be(c, ("OK", "NO"))

    # --- later searches

    async def do_partial(self):
        """Pages put together are the whole."""
        size = self.rng.randint(1, 20)
        key, uids, at, all_there = self.search_key(), [], 1, len(self.msgs)
        while at <= all_there + size:
            command = await self.say(f"UID SEARCH RETURN (PARTIAL {at}:{at + size - 1}) {key}")
            page = command.extended.get("PARTIAL")
            if not page:
                raise Wrong(f"{command.text}: {command.extended}")
            found = numbers(page[1]) if page[1] else []
            if len(found) > size:
                raise Wrong(f"{command.text}: {page}")
            uids += found
            at += size
            if not found or self.rng.random() < 0.2:
                break
        self.in_view(set(uids) - self.box.gone, "PARTIAL")

    async def do_context(self):
        if len(self.contexts) > 2:
            tag = self.rng.choice(sorted(self.contexts))
            await self.say(f'CANCELUPDATE "{tag}"')
            self.contexts.pop(tag, None)
            return
        key = self.rng.choice(KEYS[:7])
        command = self.command(f"UID SEARCH RETURN (UPDATE ALL COUNT) {key}")
        self.contexts[command.tag] = {"key": key, "uids": set()}
        self.commands += 1
        await self.wire.send(f"{command.tag} {command.text}".encode())
        await self.answer([command])
        self.must_be(command, ("OK",))
        if "NOUPDATE" in command.codes:
            del self.contexts[command.tag]

    async def do_notify(self):
        """The selected mailbox as ever, or at once, which allows EXPUNGE at any time: by UID alone, then; and others by STATUS."""
        kind = self.rng.choice(("selected-delayed", "selected"))
        where, names, more = self.rng.choice((("personal", STABLE, True), ("mailboxes (INBOX Other Deep.Er)", STABLE, False), ("inboxes", STABLE, True),
                                              ("subtree Deep", STABLE[2:], False), ("subscribed", STABLE[1:], True)))
        watched = names if not more else Subscribed() if where == "subscribed" else Anything()
        if where == "subscribed":
            for name in names:
                await self.say(f"SUBSCRIBE {name}")
        events = "MessageNew MessageExpunge" + self.rng.choice(("", " FlagChange", " FlagChange MailboxName SubscriptionChange"))
        self.watched, self.told_of, self.at_once = Anything(), {}, self.at_once or kind == "selected"  # what is under way may still come
        if self.rng.random() < 0.3:  # deaf for a while: what happens meanwhile is told when it is wanted again, and no MODSEQ says that it was
            await self.say("NOTIFY NONE", ("OK", "NO"))
            for _ in range(self.rng.randint(1, 4)):
                await asyncio.sleep(self.rng.random() / 20)
                await self.say("NOOP")
        command = await self.say(f"NOTIFY SET STATUS ({kind} (MessageNew (UID FLAGS) MessageExpunge FlagChange)) ({where} ({events}))", ("OK", "NO"))
        self.at_once, self.watched = kind == "selected", watched
        self.told_of = {name: found for name, found in self.told_of.items() if name in self.watched}
        if "FlagChange" not in events:  # told by the wish before this one, and not any more
            for found in self.told_of.values():
                found.pop("UNSEEN", None)
        missing = set(names) - set(self.told_of) - {self.name}
        if command.cond == "OK" and missing:
            raise Wrong(f"{command.text} does not tell of {sorted(missing)}")
        if command.cond == "NO":
            self.watched, self.told_of = (), {}

    async def all_told(self):
        """What was asked for is told by now, or soon: a folder that is not watched is looked at now and then."""
        for name in sorted(set(self.told_of) & set(STABLE) - {self.name}):
            for attempt in range(200):
                found = (await self.say(f"STATUS {name} (MESSAGES UIDNEXT UNSEEN RECENT)")).status[name]  # NOTIFY never tells of the last
                wrong = {i: v for i, v in found.items() if self.told_of.get(name, {}).get(i, v) != v}
                if not wrong:
                    break
                await self.say("NOOP")
                await asyncio.sleep(0.1)
            if wrong:
                raise Wrong(f"NOTIFY told of {name} {self.told_of[name]}; right is {found}")

    # --- mailboxes

    async def do_folder(self):
        """Mailboxes that only this client makes and removes; others may use them."""
        name = f"T{self.number:03}{self.rng.choice('abc')}" + self.rng.choice(("", "", ".x", ".x.y"))
        kind = self.rng.choice(("CREATE", "CREATE", "DELETE", "RENAME"))
        if not self.sure:
            await self.do_list()
        if kind == "CREATE":
            await self.change_folders(f"CREATE {name}", name not in self.folders, self.folders | {name})
        elif kind == "DELETE" and self.folders:
            name = self.rng.choice(sorted(self.folders))
            await self.kill_names({name})
            await self.change_folders(f"DELETE {name}", True, self.folders - {name})
            if self.name == name:
                self.forget()
        elif kind == "RENAME" and self.folders:
            old = self.rng.choice(sorted(self.folders))
            below = {f for f in self.folders if f == old or f.startswith(old + ".")}
            new = f"T{self.number:03}r{self.rng.randint(0, 3)}"
            taken = {f for f in self.folders if f == new or f.startswith(new + ".")}
            if not taken and not old.startswith(new):
                await self.change_folders(f"RENAME {old} {new}", True, self.folders - below | {new + f[len(old):] for f in below})
                if self.name in below:
                    self.name = new + self.name[len(old):]

    async def kill_names(self, names):
        """Before a mailbox is removed: its messages may be lost."""
        for name in names:
            command = await self.say(f"STATUS {name} (UIDVALIDITY)", ("OK", "NO"))
            for found in command.status.values():
                self.truth.box(self.user, found["UIDVALIDITY"]).dead = True

    async def change_folders(self, text, right, after):
        self.sure = False
        *old, new = text.split(" ")[1:]
        self.renamed(old[0] if old else None, new)  # what a client does itself it is not told
        command = await self.say(text, ("OK",) if right else ("NO",))
        self.folders, self.sure = after if command.cond == "OK" else self.folders, True

    async def do_subscribe(self):
        name = f"T{self.number:03}{self.rng.choice('abc')}"
        add = self.rng.random() < 0.6
        was, self.subscribed = self.subscribed, None  # not known until it is answered
        await self.say(f"{'SUBSCRIBE' if add else 'UNSUBSCRIBE'} {name}", ("OK", "NO"))
        command = await self.say(f'LSUB "" "T{self.number:03}*"')
        self.subscribed = {self.text_of(e[3]) for e in self.mine(command)}
        if was is not None and self.subscribed != (was | {name} if add else was - {name}):
            raise Wrong(f"subscribed were {sorted(was)}, {name} was {'added' if add else 'removed'}, LSUB tells of {sorted(self.subscribed)}")

    async def do_compress(self):
        if self.wire.deflate:
            return
        await self.say("COMPRESS DEFLATE")
        self.wire.compress()

    async def do_small_talk(self):
        await self.say(self.rng.choice(("CAPABILITY", "NAMESPACE", 'ID ("name" "stress")', "NOOP")))

    # --- at a checkpoint everybody is quiet

    async def settle(self):
        """What was announced must be what there is; gives uid: flags."""
        await self.say("NOOP")
        await self.all_told()
        before = [(m.uid, m.flags) for m in self.msgs]
        await self.say(f"UID FETCH 1:* (FLAGS{' MODSEQ' if self.enabled else ''})")
        if len(before) != len(self.msgs):
            raise Wrong(f"{len(before)} messages became {len(self.msgs)}")
        for m, (uid, flags) in zip(self.msgs, before):
            if uid not in (None, m.uid):
                raise Wrong(f"UID {uid} became {m.uid}")
            if flags not in (None, m.flags):
                raise Wrong(f"UID {m.uid}: told {sorted(flags)}, has {sorted(m.flags)}")
        await self.exact_searches()
        return {m.uid: m.flags for m in self.msgs}

    async def exact_searches(self):
        """Now the answers can be computed."""
        all_uids = [m.uid for m in self.msgs]
        for key, here in (("SEEN", lambda f: "\\Seen" in f), ("NOT FLAGGED", lambda f: "\\Flagged" not in f),
                          (f"KEYWORD {self.keywords[0]}", lambda f: self.keywords[0] in f)):
            command = await self.say(f"UID SEARCH {key}")
            right = [m.uid for m in self.msgs if here(m.flags)]
            if command.found != right:
                raise Wrong(f"{command.text} finds {command.found}, not {right}")
        command = await self.say("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL")
        if self.consistent(command) != all_uids:
            raise Wrong(f"{command.text}: {command.extended}")
        command = await self.say("UID SORT (REVERSE DATE) UTF-8 ALL")
        if sorted(command.found) != all_uids:
            raise Wrong(f"{command.text} finds {sorted(command.found)}, not {all_uids}")
        for tag, context in self.contexts.items():
            command = await self.say(f"UID SEARCH {context['key']}")
            if set(command.found) != context["uids"]:
                raise Wrong(f"the context {tag} ({context['key']}) was brought to {sorted(context['uids'])}, right is {command.found}")
        if self.name in STABLE:
            command = await self.say(f"STATUS {self.name} (MESSAGES UNSEEN UIDNEXT)")
            found = next(iter(command.status.values()))
            if int(found["MESSAGES"]) != len(self.msgs) or int(found["UNSEEN"]) != sum("\\Seen" not in m.flags for m in self.msgs) or \
               int(found["UIDNEXT"]) <= max(all_uids, default=0):
                raise Wrong(f"{command.text}: {found}")

    def may_end(self):
        """The selected mailbox was removed by another, or it is this client that ends it."""
        return self.name not in STABLE or self.cutting
