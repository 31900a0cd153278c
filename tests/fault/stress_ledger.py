#!/usr/bin/env python3
"""The ledger of tests/stress/imap, which says what must be there: that it knows all that clients did, and nothing but that.

- A COPY of what is marked as \\Deleted, whose answer is never seen: its result is marked, too, also where it is only found
  later, in a mailbox that nobody looked at, and so is what is moved or copied from there; to expunge it is right.
- A mark that nobody set is told of, and so is a message that went without having been given up, with the story of its file.
"""
import asyncio
import importlib.machinery
import importlib.util
import os
import sys

STRESS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stress", "imap")
loader = importlib.machinery.SourceFileLoader("stress", STRESS)
stress = importlib.util.module_from_spec(importlib.util.spec_from_loader("stress", loader))
loader.exec_module(stress)


class Hand:
    """One client that does what it is told."""

    def __init__(self, client):
        self.client = client
        client.rng.random = lambda: 0.9  # no act in another way

    async def open(self, name):
        self.client.mailbox = lambda: name
        await self.client.do_select()

    async def append(self, name):
        """Gives the UID."""
        client = self.client
        token, data = client.truth.message("hand")
        client.allow(name, [token])
        command = await client.say(f"APPEND {name} () ".encode() + client.literal(data))
        await client.added(command, name, [token], [])
        return int(command.codes["APPENDUID"].split()[1])

    async def mark(self, uid, owns_up=True):
        if owns_up:
            await self.client.doom({uid}, "STORE \\Deleted", flag=True)
        await self.client.say(f"UID STORE {uid} +FLAGS (\\Deleted)")

    async def copy(self, uid, name, verb="COPY", cut=False):
        """With cut: it is done, but the client never hears of it."""
        client = self.client
        client.mailbox, client.some = lambda: name, lambda *how: (str(uid), {uid})
        client.at_once = True  # by UID
        if not cut:
            return await client.do_copy(verb)
        await client.say(f"UID FETCH {uid} (ENVELOPE)")  # so that the copy is the next that is said
        client.wire.line = self.deaf(client.wire.line)
        try:
            await client.do_copy(verb)
        except stress.Lost:
            return client.lost()
        raise AssertionError("the client heard of it")

    @staticmethod
    def deaf(line):
        async def hears(*timeout):
            while (heard := await line(*timeout)).startswith(b"* "):
                pass
            raise stress.Lost(heard.decode())
        return hears


class Run:
    def __init__(self):
        sys.argv[1:] = ["--stdio", "--clients", "3", "--seed", "1"]
        self.world = stress.Stdio(stress.options())
        self.all = stress.Stress(self.world)
        self.hands = [Hand(c) for c in self.all.clients]

    async def new(self, *names):
        """Everybody begins anew; names of mailboxes to be made."""
        for hand in self.hands:
            hand.client.lost()
            await hand.client.connect()
        for name in names:
            await self.hands[0].client.change_folders(f"CREATE {name}", True, self.hands[0].client.folders | {name})
        await self.all.checkpoint()

    async def found(self, words):
        """The next checkpoint must say this."""
        try:
            await self.all.checkpoint()
        except stress.Wrong as e:
            if words not in str(e):
                raise
            return e
        raise AssertionError(f"not told: {words}")

    @staticmethod
    async def marked(hand):
        """A message in the INBOX."""
        await hand.open("INBOX")
        uid = await hand.append("INBOX")
        await hand.client.do_noop()
        await hand.mark(uid)
        return uid

    async def moved_later(self):
        one, two, _ = self.hands
        await self.new("T000a")
        uid = await self.marked(one)
        await one.copy(uid, "T000a", cut=True)
        await self.all.checkpoint()
        await two.open("T000a")
        await two.copy(1, "INBOX", verb="MOVE")
        await two.open("INBOX")
        assert uid + 1 in self.world.truth.box("u0", two.client.box.uidvalidity).acked
        await two.client.do_expunge()
        await self.all.checkpoint()

    async def copied_further(self):
        one, two, three = self.hands
        await self.new("T000b", "T000c")
        await three.open("T000b")
        uid = await self.marked(one)
        await one.copy(uid, "T000c", cut=True)
        await two.open("T000c")
        await two.copy(1, "T000b", cut=True)
        await self.all.checkpoint()
        assert three.client.box.flagged == {1}

    async def nobody_asked(self):
        one = self.hands[0]
        await self.new()
        await one.open("Other")
        uid = await one.append("Other")
        await one.client.do_noop()
        await one.mark(uid, owns_up=False)
        wrong = await self.found("which nobody asked for")
        assert wrong.uids == [uid]
        await one.client.do_expunge()
        wrong = await self.found("acknowledged messages of u0/Other are lost")
        assert wrong.uids == [uid]
        await self.told(wrong, uid, ("acknowledged to client 0", "is told of ['\\\\Deleted']", "is moved here", "client 0 says EXPUNGE", " goes",
                                     "is told that it is gone"))

    async def told(self, wrong, uid, parts):
        """The story has these parts, in this order but for those of the file."""
        for _ in range(200):
            story = "\n".join(self.world.history.of(wrong.box, uid, self.world.truth.boxes.values()))
            if all(part in story for part in parts):
                break
            await asyncio.sleep(0.1)
        missing = [part for part in parts if part not in story]
        if missing:
            raise AssertionError(f"the story lacks {missing}:\n{story}")
        print(story)

    async def run(self):
        for part in (self.moved_later, self.copied_further, self.nobody_asked):
            await part()
            print(f"{part.__name__}: right")


def main():
    run = Run()
    try:
        asyncio.run(run.run())
    finally:
        run.world.stop()


if __name__ == "__main__":
    main()
