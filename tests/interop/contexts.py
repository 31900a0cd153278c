#!/usr/bin/env python3
# Also runs against the sanitize build.
"""Results kept up to date (RFC 5267) against what a new search says: random changes by two sessions, for some seconds.

Usage: contexts.py [SEED [ROUNDS]]

The client under test applies ADDTO, REMOVEFROM and EXPUNGE to its lists as section 4.3 has it and nothing else; after
every NOOP each list must be what the same SEARCH or SORT answers now.
"""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import Site  # noqa: E402

USER = "anna@example.org"
PROGRAMS = ("ALL", "FLAGGED", "UNSEEN", "OR FLAGGED SUBJECT a", "NOT (SEEN FLAGGED)", "KEYWORD $x", "1:20 UNSEEN", "BODY needle",
            "LARGER 400", "DELETED")
ORDERS = (None, None, "SUBJECT", "REVERSE SUBJECT", "REVERSE SIZE SUBJECT", "DATE")


class Context:
    def __init__(self, rng, tag):
        self.tag, self.uid, self.order, self.program = tag, rng.random() < 0.5, rng.choice(ORDERS), rng.choice(PROGRAMS)
        if "1:20" in self.program:
            self.program = "UID " + self.program
        self.list = []

    def command(self, options):
        verb = ("UID " if self.uid else "") + (f"SORT {options} ({self.order}) UTF-8" if self.order else f"SEARCH {options}")
        return f"{verb} {self.program}".replace("  ", " ")

    def update(self, word, pairs):
        words = pairs.split()
        for at, numbers in zip(words[::2], words[1::2]):
            at, numbers = int(at), members(numbers)
            assert (at == 0) == (self.order is None), (self.order, pairs)
            if word == "ADDTO":
                assert not set(numbers) & set(self.list), (self.tag, word, pairs, self.list)
                if at:
                    assert at <= len(self.list) + 1, (pairs, self.list)
                    self.list[at - 1:at - 1] = numbers
                else:
                    self.list = sorted(self.list + numbers)
            elif at:
                assert self.list[at - 1:at - 1 + len(numbers)] == numbers, (self.tag, pairs, self.list)
                del self.list[at - 1:at - 1 + len(numbers)]
            else:
                assert set(numbers) <= set(self.list), (self.tag, pairs, self.list)
                self.list = [n for n in self.list if n not in numbers]

    def expunge(self, number):
        if not self.uid:
            assert number not in self.list, (self.tag, number, self.list)
            self.list = [n - (n > number) for n in self.list]


def members(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


class Client:
    def __init__(self, site):
        self.imap = site.imap(USER)
        self.contexts, self.exists, self.number = {}, 0, 0
        self.say("SELECT INBOX")

    def say(self, text, literal=None):
        self.number += 1
        tag = f"t{self.number}"
        self.imap.send(f"{tag} {text}\r\n".encode())
        if literal is not None:
            assert self.imap.readline().startswith(b"+")
            self.imap.send(literal + b"\r\n")
        lines = []
        while True:
            line = self.imap.readline().decode().rstrip("\r\n")
            if line.startswith(tag + " "):
                assert line.startswith((f"{tag} OK", f"{tag} NO [EXPUNGEISSUED]")), (text, line)
                return lines
            assert line.startswith("* "), line
            self.heard(line)
            lines.append(line)

    def heard(self, line):
        found = re.fullmatch(r"\* (\d+) (EXISTS|EXPUNGE)", line)
        if found and found[2] == "EXISTS":
            assert int(found[1]) >= self.exists
            self.exists = int(found[1])
        elif found:
            self.exists -= 1
            for context in self.contexts.values():
                context.expunge(int(found[1]))
        assert "NOUPDATE" not in line, line
        tag = re.match(r'\* ESEARCH \(TAG "(\w+)"\)', line)
        if tag:
            listed = re.search(r" ALL (\S+)$", line)
            if listed:
                self.contexts[tag[1]].list = members(listed[1])
            for word, pairs in re.findall(r"(ADDTO|REMOVEFROM) \(([^)]*)\)", line):
                self.contexts[tag[1]].update(word, pairs)

    def follow(self, rng):
        context = Context(rng, f"t{self.number + 1}")
        self.contexts[context.tag] = context
        self.say(context.command("RETURN (UPDATE ALL)"))

    def check(self):
        for context in list(self.contexts.values()):
            lines = self.say(context.command(""))
            answer = next(line for line in lines if re.match(r"\* (SEARCH|SORT)", line))
            now = [int(word) for word in answer.split()[2:]]
            assert now == context.list, (context.tag, context.command(""), context.list, now)


def message(rng):
    return (f"Subject: {rng.choice('abcdefgh')}{rng.randrange(9)}\r\nDate: {rng.randrange(1, 28)} Jun 2026 10:00:00 +0000\r\n\r\n"
            f"{'needle ' if rng.random() < 0.3 else ''}{'x' * rng.randrange(600)}\r\n").encode()


def some(rng, exists):
    return ",".join(str(rng.randrange(1, exists + 1)) for _ in range(rng.randrange(1, 8)))


def change(rng, client):
    act = rng.random()
    if act < 0.2 or client.exists < 10:
        data = message(rng)
        client.say(f"APPEND INBOX {rng.choice(['', chr(92) + 'Flagged', chr(92) + 'Seen']).join('()')} {{{len(data)}}}", data)
    elif act < 0.3:
        client.say(f"COPY {some(rng, client.exists)} INBOX")
    elif act < 0.8:
        flags = rng.choice(("\\Flagged", "\\Seen", "$x", "\\Deleted"))
        client.say(f"STORE {some(rng, client.exists)} {rng.choice('+-')}FLAGS{rng.choice(('', '.SILENT'))} ({flags})")
    elif act < 0.9:
        client.say("EXPUNGE")
    else:
        client.say("NOOP")


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 150
    rng = random.Random(seed)
    print("seed", seed)
    with Site({USER: "secret"}) as site:
        first, second = Client(site), Client(site)
        for _ in range(30):
            change(rng, second)
        for n in range(rounds):
            for _ in range(rng.randrange(6)):
                change(rng, rng.choice((first, second)))
            if len(first.contexts) < 10 and rng.random() < 0.2:
                first.follow(rng)
            elif first.contexts and rng.random() < 0.05:
                tag = rng.choice(list(first.contexts))
                del first.contexts[tag]
                first.say(f'CANCELUPDATE "{tag}"')
            first.say("NOOP")
            first.check()
            second.say("NOOP")
    print(rounds, "rounds, no difference")


if __name__ == "__main__":
    main()
