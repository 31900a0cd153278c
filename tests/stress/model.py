"""What one session has been told: the mailbox it has selected, and the rules by which that may change."""
import re

from wire import Lost, Wrong, numbers, parse

NUMBERED = {"FETCH", "STORE", "SEARCH", "SORT", "THREAD"}  # no EXPUNGE while these run (RFC 3501 7.4.1, RFC 5256 3)
NEVER_CHANGES = ("INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "EMAILID", "THREADID", "SAVEDATE", "PREVIEW")


class Message:
    __slots__ = ("uid", "flags", "modseq")

    def __init__(self, uid=None, flags=None, modseq=0):
        self.uid, self.flags, self.modseq = uid, flags, modseq


class Command:
    """One that was sent: what came for it."""

    def __init__(self, tag, text):
        words = text.split(" ", 2)
        self.tag, self.text = tag, text
        self.uid = words[0].upper() == "UID"
        self.name = (words[1] if self.uid else words[0]).upper()
        self.code = None       # HIGHESTMODSEQ
        self.seen = 0          # the greatest MODSEQ
        self.earlier, self.told, self.removed = set(), {}, set()
        self.found, self.extended, self.threads, self.lists, self.status, self.codes = [], {}, None, [], {}, {}
        self.fetched = {}      # uid: items
        self.cond, self.line = None, ""


class Model:
    """The session's half of the model; needs self.wire, self.truth, self.user, self.level, self.number."""

    nameless = False  # a message went whose UID was not known, during the command under way

    def forget(self):
        """Nothing is selected."""
        self.box, self.name, self.msgs, self.readonly = None, None, [], False
        self.known, self.saved, self.contexts = 0, None, {}

    def opens(self):
        """What was selected is no longer; what comes belongs to the next mailbox."""
        self.forget()
        self.readonly, self.generation = self.opening, self.world.next_generation()

    # --- responses

    async def answer(self, commands):
        """Takes responses until all commands are answered. They run in their order: what is untagged belongs to the first."""
        waiting, self.nameless = list(commands), False
        while waiting:
            data = await self.wire.line()
            if data.startswith(b"+ "):
                return waiting
            if data.startswith(b"* "):
                self.untagged(data, waiting[0])
                continue
            tag, _, rest = data.decode("utf-8", "replace").partition(" ")
            if tag != waiting[0].tag:
                raise Wrong(f"tag {tag} instead of {waiting[0].tag}")
            self.tagged(waiting.pop(0), rest)
        return None

    def tagged(self, command, rest):
        command.cond, command.line = rest.split(" ", 1)[0], rest
        self.codes(rest, command)
        if command.name in ("SELECT", "EXAMINE"):
            self.known = command.code or 0
            return
        if command.code is None:
            self.known = max(self.known, command.seen)
        elif command.code < self.known:
            raise Wrong(f"HIGHESTMODSEQ goes back from {self.known} to {command.code}")
        else:
            self.known = command.code

    def codes(self, text, command):
        m = re.match(r"\w+ \[([A-Z0-9-]+)(?: ([^\]]*))?\]", text)
        if not m:
            return
        command.codes[m[1]] = m[2]
        if m[1] == "HIGHESTMODSEQ":
            command.code = int(m[2])
        elif m[1] == "UIDVALIDITY" and command.name in ("SELECT", "EXAMINE"):
            self.box = self.truth.box(self.user, m[2])
        elif m[1] == "CLOSED":
            self.opens()
            command.told, command.fetched, command.removed, command.earlier = {}, {}, set(), set()

    def untagged(self, data, command):
        word = data.split(b" ", 3)[1].upper()
        if word in (b"OK", b"NO", b"BAD"):
            self.codes(data[2:].decode("utf-8", "replace"), command)
        elif word == b"BYE":
            raise Lost(data.decode("utf-8", "replace"))
        elif word == b"VANISHED":
            self.told_vanished(data.decode().split(), command)
        elif word.isdigit():
            self.numbered(int(word), data, command)
        elif word in (b"SEARCH", b"SORT"):
            command.found = [int(w) for w in data.split(b" (")[0].split()[2:]]
        elif word == b"ESEARCH":
            self.esearch(parse(data)[2:], command)
        elif word == b"THREAD":
            command.threads = parse(data)[2:]
        elif word in (b"LIST", b"LSUB"):
            if command.name in ("LIST", "LSUB"):  # else NOTIFY's
                command.lists.append(parse(data)[1:])
            else:
                self.named(parse(data)[4:])
        elif word == b"STATUS":
            _, _, name, items = parse(data)
            name = name.decode() if isinstance(name, bytes) else name
            found = dict(zip(items[::2], items[1::2]))
            asked = command.name == "LIST" and name.startswith(f"T{self.number:03}") or command.text.startswith(f"STATUS {name} ")
            if asked and set(re.findall("[A-Z]+", command.text.rpartition("(")[2])) == set(found):
                command.status[name] = found
            else:
                self.notified(name, found)

    def notified(self, name, found):
        """A STATUS that nobody asked for: NOTIFY's."""
        if name not in self.watched:
            raise Wrong(f"STATUS of {name}, which was not asked for: {found}")
        was = self.told_of.get(name, {})
        same = "UIDVALIDITY" not in found or was.get("UIDVALIDITY") == found["UIDVALIDITY"]  # else the name means another mailbox
        if "UIDNEXT" in found and same and int(found["UIDNEXT"]) < int(was.get("UIDNEXT", 0)):
            raise Wrong(f"UIDNEXT of {name} goes back from {was['UIDNEXT']} to {found['UIDNEXT']}")
        self.told_of[name] = {**was, **found} if same else found

    def named(self, words):
        """A LIST that nobody asked for: the name means another mailbox now, or none; one that was renamed, with all below it."""
        more = words[1] if len(words) > 1 else []
        old = dict(zip(map(self.text_of, more[::2]), more[1::2])).get("OLDNAME")
        self.renamed(old and self.text_of(old[0]), self.text_of(words[0]))

    def renamed(self, old, new):
        self.told_of.pop(new, None)
        for name in [n for n in self.told_of if old and (n == old or n.startswith(old + "."))]:
            self.told_of[new + name[len(old):]] = self.told_of.pop(name)

    def numbered(self, n, data, command):
        word = data.split(b" ", 3)[2].upper()
        if word == b"EXISTS":
            if command.name in ("SELECT", "EXAMINE") and not self.box:
                self.msgs = [Message() for _ in range(n)]
                return
            if n < len(self.msgs):
                raise Wrong(f"EXISTS shrinks from {len(self.msgs)} to {n}")
            self.msgs += [Message() for _ in range(n - len(self.msgs))]
        elif word == b"EXPUNGE":
            if "QRESYNC" in self.enabled:
                raise Wrong("EXPUNGE in spite of QRESYNC")
            self.may_remove(command)
            if not 1 <= n <= len(self.msgs):
                raise Wrong(f"EXPUNGE {n} of {len(self.msgs)}")
            self.removed(n - 1, command)
        elif word == b"FETCH":
            items = parse(data)[3]
            self.fetched(n, dict(zip((i.upper() for i in items[::2]), items[1::2])), command)

    def may_remove(self, command):
        if not self.at_once and command.name in NUMBERED and not command.uid:
            raise Wrong(f"a message is removed during {command.name}")
        if self.box is None:
            raise Wrong("a message is removed; nothing is selected")

    def removed(self, at, command):
        uid = self.msgs[at].uid
        if uid:
            self.box.removed(uid, command.tag)
            command.removed.add(uid)
            if self.saved is not None:
                self.saved.discard(uid)
        else:
            self.nameless = True
        del self.msgs[at]

    def told_vanished(self, words, command):
        if "QRESYNC" not in self.enabled:
            raise Wrong("VANISHED without QRESYNC")
        if words[2] == "(EARLIER)":
            command.earlier |= set(numbers(words[3]))
            if command.earlier & {m.uid for m in self.msgs}:
                raise Wrong("VANISHED (EARLIER) of what is there")
            for uid in command.earlier & set(self.box.tokens):
                self.box.removed(uid, command.tag)
            return
        self.may_remove(command)
        for uid in numbers(words[2]):
            self.removed(self.place(uid), command)
            self.box.removed(uid, command.tag)
            command.removed.add(uid)

    def place(self, uid):
        """Where the UID is, or, where it is not known yet, may be."""
        low = 0
        for i, m in enumerate(self.msgs):
            if m.uid == uid:
                return i
            if m.uid and m.uid < uid:
                low = i + 1
            if m.uid and m.uid > uid:
                break
        if low >= len(self.msgs) or self.msgs[low].uid:
            raise Wrong(f"VANISHED {uid}, which is not there")
        return low

    def fetched(self, n, items, command):
        if not 1 <= n <= len(self.msgs):
            raise Wrong(f"FETCH {n} of {len(self.msgs)}")
        m = self.msgs[n - 1]
        if "UID" in items:
            self.is_uid(n, m, int(items["UID"]))
        elif "QRESYNC" in self.enabled and command.name != "FETCH":
            raise Wrong(f"FETCH without UID in {command.name} (RFC 7162 3.2.3)")
        modseq = int(items["MODSEQ"][0]) if "MODSEQ" in items else 0
        flags = None
        if "FLAGS" in items:
            flags = set(items["FLAGS"])
            if "\\Recent" in flags and not self.readonly and m.uid and not self.world.recent_again:
                owner = self.box.recent.setdefault(m.uid, (self.number, self.generation))
                if owner != (self.number, self.generation):
                    raise Wrong(f"\\Recent of UID {m.uid} of {self.box} is shown to {owner} and {(self.number, self.generation)}")
            flags = frozenset(flags - {"\\Recent"})
        if modseq:
            self.is_modseq(m, modseq, flags, command)
        elif self.enabled and flags is not None and command.name not in ("FETCH", "SELECT", "EXAMINE"):
            raise Wrong(f"FETCH without MODSEQ in {command.name} (RFC 7162 3.2)")
        if flags is not None:
            self.is_flags(m, flags, command)
        if m.uid:
            command.fetched.setdefault(m.uid, {}).update(items)
            self.is_content(m.uid, items)

    def is_uid(self, n, m, uid):
        if m.uid == uid:
            return
        if m.uid:
            raise Wrong(f"number {n} was UID {m.uid} and is {uid}")
        before = next((x.uid for x in reversed(self.msgs[:n - 1]) if x.uid), 0)
        after = next((x.uid for x in self.msgs[n:] if x.uid), 1 << 32)
        if not before < uid < after:
            raise Wrong(f"number {n} is UID {uid}, between {before} and {after}")
        m.uid = uid

    def is_modseq(self, m, modseq, flags, command):
        if modseq < m.modseq:
            raise Wrong(f"MODSEQ of UID {m.uid} goes from {m.modseq} to {modseq}")
        if flags is not None and m.uid:
            was = self.box.states.setdefault((m.uid, modseq), flags)
            if was != flags:
                raise Wrong(f"MODSEQ {modseq} of UID {m.uid} of {self.box} stands for {sorted(was)} and {sorted(flags)}")
            if m.flags not in (None, flags) and modseq <= self.known:
                raise Wrong(f"UID {m.uid}: {sorted(m.flags)} became {sorted(flags)} with MODSEQ {modseq}; told up to {self.known}")
        m.modseq = modseq
        command.seen = max(command.seen, modseq)

    def is_flags(self, m, flags, command):
        m.flags = flags
        if not m.uid:
            return
        command.told[m.uid] = flags
        self.box.told(m.uid, flags, command.tag)
        for keyword, here in self.own.get((self.box, m.uid), {}).items():
            if here is not None and here != (keyword in flags):
                raise Wrong(f"UID {m.uid} of {self.box} has {sorted(flags)}; {keyword} was {'set' if here else 'removed'} and acknowledged",
                            self.box, [m.uid])

    def is_content(self, uid, items):
        for item in NEVER_CHANGES:
            if item in items and item not in self.world.may_change:
                self.box.fact(uid, item, repr(items[item]))
        if "ENVELOPE" in items:
            m = re.match(rb"s(\d+)", items["ENVELOPE"][1] or b"")
            if not m:
                raise Wrong(f"UID {uid} of {self.box} is no message of ours: {items['ENVELOPE']}")
            self.box.token(uid, int(m[1]))
        for name, value in items.items():
            if name in ("BODY[]", "RFC822") and value is not None:
                self.truth.verify(self.box, uid, value)
                self.box.fact(uid, "BODY[]", hash(value))
            elif "[" in name:
                self.box.fact(uid, name.replace(".PEEK", ""), hash(value))

    # --- ESEARCH

    def esearch(self, words, command):
        found = {"TAG": None}
        if words and isinstance(words[0], list):
            pair = words.pop(0)
            found["TAG"] = pair[1].decode() if isinstance(pair[1], bytes) else pair[1]
        if words and words[0] == "UID":
            found["UID"] = True
            words.pop(0)
        found.update(zip((w.upper() for w in words[::2]), words[1::2]))
        if found["TAG"] in self.contexts:
            if "ALL" in found:
                self.contexts[found["TAG"]]["uids"] = set(numbers(found["ALL"]))
            self.update_context(self.contexts[found["TAG"]], words)
        if found["TAG"] == command.tag:
            command.extended.update(found)

    def update_context(self, context, words):
        """ADDTO and REMOVEFROM of CONTEXT=SEARCH (RFC 5267 4.3) to the list that the client keeps; UIDs."""
        for what, change in zip(words[::2], words[1::2]):
            if what.upper() not in ("ADDTO", "REMOVEFROM"):
                continue
            for where, some in zip(change[::2], change[1::2]):
                some = set(numbers(some))
                if what.upper() == "ADDTO":
                    if some & context["uids"]:
                        raise Wrong(f"ADDTO of what is in the list: {sorted(some & context['uids'])}")
                    context["uids"] |= some
                else:
                    if some - context["uids"]:
                        raise Wrong(f"REMOVEFROM of what is not in the list: {sorted(some - context['uids'])}")
                    context["uids"] -= some
