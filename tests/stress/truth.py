"""What all clients together know: which messages were acknowledged, who tried to remove which, what can never change.

Whoever is about to send what may remove a message dooms it first; only the doomed may be announced as gone, and everything
acknowledged that is not doomed must be found at the end.
"""
import collections
import random
import re
import time

from wire import Wrong

WORDS = "alpha beta gamma delta plan report lunch zeta Re: omega".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Box:
    """A mailbox: one user's, one UIDVALIDITY."""

    def __init__(self, user, uidvalidity):
        self.user, self.uidvalidity = user, uidvalidity
        self.tokens = {}      # uid: which message
        self.facts = {}       # (uid, item): what never changes
        self.states = {}      # (uid, modseq): flags
        self.recent = {}      # uid: the session that was told
        self.acked = {}       # uid: who acknowledged it
        self.flagged = set()  # uids that somebody tried to mark as \\Deleted: copies are marked, too
        self.copies = {}      # uid: the (box, uid) of its copies
        self.untold = {}      # uid: the command that should have told of it, were it not gone
        self.doomed = set()   # uids that somebody tried to remove
        self.gone = set()     # uids that somebody was told to be gone
        self.dead = False     # the mailbox itself may go
        self.name = None      # of one that is never renamed
        self.story = collections.defaultdict(list)  # uid: [(time, what happened)]
        self.last = {}        # uid: the flags that somebody was told last
        self.said = []        # [(time, a command that removes what is marked)]

    def __repr__(self):
        return f"{self.user}/{self.name or self.uidvalidity}"

    def note(self, uid, text):
        self.story[uid].append((time.time(), text))

    def told(self, uid, flags, who):
        """For the story alone."""
        if self.last.get(uid) != flags:
            self.last[uid] = flags
            self.note(uid, f"{who} is told of {sorted(flags)}")

    def removed(self, uid, who):
        if uid not in self.gone:
            self.gone.add(uid)
            self.note(uid, f"{who} is told that it is gone")

    def doom(self, uids, who, flag=False):
        """Somebody is about to remove these, or, with flag, to mark them."""
        self.doomed |= uids
        if flag:
            self.flagged |= uids
        for uid in uids:
            self.note(uid, who)

    def acknowledged(self, uid, who):
        self.acked[uid] = who
        self.note(uid, f"acknowledged to {who}")

    def fact(self, uid, item, value):
        was = self.facts.setdefault((uid, item), value)
        if was != value:
            raise Wrong(f"{item} of UID {uid} of {self} was {was!r:.200} and is {value!r:.200}")

    def token(self, uid, token):
        was = self.tokens.setdefault(uid, token)
        if was != token:
            raise Wrong(f"UID {uid} of {self} was message {was} and is {token}")

    def born_flagged(self, uid):
        """A copy of what was marked is marked; so are those that were made of it before its maker was told that it is there."""
        if uid in self.flagged:
            return
        self.doom({uid}, "it is the copy of one that was marked", flag=True)
        for box, copy in self.copies.get(uid, ()):
            box.born_flagged(copy)

    def check_told(self, passing):
        """At a checkpoint, for only then it is known who was on the way out: nobody else was left out by a FETCH."""
        kept = {uid for uid in self.untold if uid not in self.doomed and (uid in self.acked or self.tokens.get(uid) not in passing)}
        if kept and not self.dead:
            uid = min(kept)
            raise Wrong(f"{self.untold[uid]} does not tell of UID {uid} of {self}, which nobody removed", self, [uid])
        self.untold.clear()

    def check(self, state):
        """At a checkpoint: what is there, uid: flags."""
        lost = set(self.acked) - self.doomed - set(state)
        if lost and not self.dead:
            uid = min(lost)
            raise Wrong(f"{len(lost)} acknowledged messages of {self} are lost: UID {uid}, message {self.tokens.get(uid)}, by {self.acked[uid]}",
                        self, lost)
        back = self.gone & set(state)
        if back:
            raise Wrong(f"UIDs {sorted(back)[:9]} of {self} were announced as gone and are there", self, back)
        marked = {uid for uid, flags in state.items() if "\\Deleted" in flags} - self.flagged
        if marked:
            raise Wrong(f"UIDs {sorted(marked)[:9]} of {self} are marked as \\Deleted, which nobody asked for", self, marked)


class Copy:
    """A COPY or MOVE that nobody was told the result of, by UID: under way, refused, or its connection ended."""

    def __init__(self, box, uids, target):
        self.box, self.uids, self.target = box, uids, target

    def may_be(self, box):
        return box.user == self.box.user and box.name in (None, self.target)

    def tokens(self, uids):
        return {self.box.tokens[u] for u in uids if u in self.box.tokens}


class Truth:
    def __init__(self, seed):
        self.boxes, self.texts = {}, {}
        self.rng = random.Random(f"{seed}/texts")
        self.count = 0
        self.adopted = collections.defaultdict(set)        # (user, mailbox): tokens acknowledged without a UID
        self.allowed = collections.Counter()               # (user, mailbox, token): so many copies may be there
        self.doomed_tokens = collections.defaultdict(set)  # (user, mailbox)
        self.copied_tokens = collections.defaultdict(set)  # (user, mailbox): may be there under several UIDs
        self.copies = []                                   # those without a result

    def box(self, user, uidvalidity):
        key = user, int(uidvalidity)
        if key not in self.boxes:
            self.boxes[key] = Box(*key)
        return self.boxes[key]

    def copy(self, box, uids, target):
        self.copies.append(Copy(box, uids, target))
        return self.copies[-1]

    def settle(self):
        """
        Everybody is quiet, and it is known which messages are where: what became of the copies without a result. They took the
        mark along that their source had (which may be such a copy, too), and one that was refused may have been seen before it
        was taken back. What was acknowledged is none of them.
        """
        for c in self.copies:
            marked = c.tokens(c.uids & c.box.flagged)
            for box in filter(c.may_be, self.boxes.values()):
                for uid in [u for u, token in box.tokens.items() if token in marked and u not in box.acked]:
                    box.born_flagged(uid)
        for box in self.boxes.values():
            passing = [c.tokens(c.uids) | {None} for c in self.copies if c.may_be(box)]
            box.check_told(set().union(*passing))
        self.copies = []

    def message(self, sender, line="\r\n"):
        """A new message: (token, bytes)."""
        self.count += 1
        token, rng = self.count, self.rng
        head = [f"Subject: s{token} {rng.choice(WORDS)}", f"From: {sender} <{sender}@example.org>", f"To: {rng.choice(WORDS)}@example.org",
                f"Message-ID: <s{token}@stress>", f"Date: {rng.randint(1, 28)} {rng.choice(MONTHS)} 20{rng.randint(10, 25)} 12:00:00 +0000"]
        if token > 3 and rng.random() < 0.4:
            head.append(f"References: <s{rng.randint(max(1, token - 30), token - 1)}@stress>")
        text = [f"{rng.choice(WORDS)} {rng.getrandbits(64):x}" for _ in range(rng.choice((0, 1, 3, 10, 10, 40, 1500) if rng.random() < 0.2 else (1, 3, 9)))]
        if rng.random() < 0.2:
            head += ["MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b"]
            text = ["--b", "", *text, "--b", "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "",
                    "caf=C3=A9", "--b--"]
        data = line.join(head + [""] + text + [""]).encode()
        self.texts[token] = data.replace(b"\n", b"\r\n") if line == "\n" else data
        return token, data

    def new_token(self):
        self.count += 1
        return self.count

    def verify(self, box, uid, data):
        """BODY[] of a message; what a delivery put in front may be there, too."""
        m = re.search(rb"^Subject: s(\d+)", data, re.M)
        if not m:
            raise Wrong(f"UID {uid} of {box} is no message of ours: {data[:200]}")
        token = int(m[1])
        box.token(uid, token)
        if token in self.texts and not data.endswith(self.texts[token]):
            raise Wrong(f"UID {uid} of {box}: message {token} has other bytes: {data[:200]} ... {data[-100:]}")


    def check(self, user, name, box, state):
        """A mailbox at a checkpoint: nothing is lost, nothing is there too often, nothing was announced as gone that was not removed."""
        box.check(state)
        if not box.name:
            return  # what others did to it, to a name that now means another, is not counted
        here = collections.Counter(box.tokens[uid] for uid in state if uid in box.tokens)
        lost = self.adopted[user, name] - set(here) - self.doomed_tokens[user, name]
        if lost:
            uids = sorted(u for u, t in box.tokens.items() if t in lost)
            raise Wrong(f"{len(lost)} delivered messages of {box} are lost: {sorted(lost)[:9]}; their UIDs were {uids}", box, uids)
        for token, count in here.items():
            if count > self.allowed[user, name, token]:
                uids = sorted(u for u in state if box.tokens.get(u) == token)
                raise Wrong(f"message {token} is {count} times in {box}: UIDs {uids}", box, uids)
        for uid in box.gone - box.doomed:
            token = box.tokens.get(uid)
            if token in self.adopted[user, name] and token not in self.copied_tokens[user, name]:
                raise Wrong(f"UID {uid} of {box} (message {token}) was announced as gone; nobody removed it", box, [uid])
