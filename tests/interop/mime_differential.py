#!/usr/bin/env python3
"""Odd MIME to us and to Debian's Dovecot 2.3: ENVELOPE, BODY, BODYSTRUCTURE, sections, partials, BINARY, SORT, THREAD and SEARCH.

Usage: mime_differential.py [SEED [MESSAGES]]

The messages come from tests/lib/oddmime.py and, without a seed, also from ROOST_CORPUS. A difference fails the test unless it
is one of these, each with the sentence that says who is right (doc/mime-differences.md has more words):

 type       a Content-Type that does not parse: we say text/plain, Dovecot "". RFC 2045 5.2: "It is also recommend that this default
            be assumed when a syntactically invalid Content-Type header field is encountered."
 line end   the line end before the outer delimiter that follows an inner closing one, or a message's end: not part of the body.
            RFC 2046 5.1.1: "The CRLF preceding the boundary delimiter line is conceptually attached to the boundary".
 empty      empty members of address lists: RFC 5322 4.4: "mailbox-list and address-list were allowed to have "null" members".
            Dovecot says MISSING_MAILBOX at MISSING_DOMAIN.
 goes on    behind what is no address the list goes on at the next comma: RFC 5322 3.4, "address-list = (address *("," address))".
            Dovecot ends it there.
 no address something without "@": each has stand-ins for what is missing (RFC 5322 3.4: "addr-spec = local-part "@" domain").
 blank      a field of blanks alone: RFC 5322 2.2: the body may be "composed of zero or more printable characters and WSP"; folding white space
            around the words means nothing (3.2.2). Dovecot keeps one blank, we none.
 absent     what is not there: RFC 3501 4.4: "NIL, which represents the non-existence of a particular data item". Dovecot: {0}.
 leaf       BODY[n.1] of a part that is no multipart: RFC 3501 6.4.5, only "non-multipart messages ... have a part 1". Dovecot
            takes a leaf for its own part 1.
 mixed      "name*" beside "name*0" in one field: RFC 2231 has no such mixture; we say what was sent, Dovecot numbers anew.
 case       TEXT/PLAIN; CHARSET=US-ASCII: RFC 2045 5.1: "matching of media type and subtype is ALWAYS case-insensitive"; Dovecot writes a whole
            message of that type in lower case.
 twice      a field that may occur once and occurs twice (RFC 5322 3.6): in BODYSTRUCTURE the first counts for both servers, in BINARY, SEARCH and
            SORT Dovecot takes the last here and the first there. Not compared.
 blanks     SORT SUBJECT: RFC 5256 2.1: "Convert all multiple spaces to a single space"; Dovecot leaves the blank before a fold. SORT=DISPLAY uses the
            ENVELOPE (RFC 5957 4), where both have one blank. Not played.
 charset    an unknown charset in an encoded word: RFC 2047 6.2 lets a reader show it as it is, or guess; we guess UTF-8. Not played in SORT.
 broken     BINARY of broken base64 or quoted-printable: RFC 2045 6.8: "All line breaks or other characters not found in Table 1 must be ignored by
            decoding software", 6.7 has rules for the rest; Dovecot says NO or ends the connection.
 inner      BINARY of a message or multipart: RFC 2045 6.4: "it is EXPRESSLY FORBIDDEN to use any encodings other than "7bit", "8bit", or "binary" with
            any composite media type", so its bytes are its content (RFC 3516 4.3); Dovecot writes the parts inside anew. And it says UNKNOWN-CTE
            for every part when one is unknown; RFC 3516 4.3: "If the server does not know how to decode the section's CTE".
 no end     a header without its empty line gets none: RFC 3501 6.4.5: "except in the case of a message which has no body and no blank line".
"""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import oddmime  # noqa: E402
from imapresponse import parse  # noqa: E402
from testpair import Pair, messages as maildir_of  # noqa: E402

OTHERS = ("mail-parser-rs/eml/malformed/016.eml",)  # boundaries that differ only after 80 bytes: doc/mime-differences.md


class Differs(Exception):
    pass


# --- structures


def addresses(a, b):
    """Reasons "empty", "goes on" and "no address"."""
    a, b = ([x for x in some or [] if not {b"MISSING_MAILBOX", b"MISSING_DOMAIN"} & set(x[2:])] for some in (a, b))
    a = iter(a)
    return all(x in a for x in b)


def envelope(a, b, where):
    for i, (x, y) in enumerate(zip(a, b)):
        if x == y or (2 <= i <= 7 and addresses(x, y)) or (not 2 <= i <= 7 and (x or b"").strip() == (y or b"").strip()):
            continue
        raise Differs(f"{where}, field {i} of the envelope:\n  Roost   {x}\n  Dovecot {y}")


def same_number(a, b):
    """Sizes and lines; the reason "line end"."""
    return a == b or (a or "0").isdigit() and (b or "0").isdigit() and 0 <= int(b or 0) - int(a or 0) <= 2


def untyped(part, text):
    """What is left to compare of a part whose type Dovecot does not understand."""
    rest = part[3:7] + (part[8:] if text else part[7:])
    return [(x or b"").strip() if isinstance(x, bytes) else x for x in rest]


def structure(a, b, where):
    if isinstance(a[0], list) != isinstance(b[0], list):
        raise Differs(f"{where}: a multipart for one only:\n  Roost   {a}\n  Dovecot {b}")
    if isinstance(a[0], list):
        kids, others = ([x for x in part if isinstance(x, list) and x and (isinstance(x[0], list) or len(x) >= 7)] for part in (a, b))
        n = next(i for i, x in enumerate(a) if not isinstance(x, list))
        m = next(i for i, x in enumerate(b) if not isinstance(x, list))
        if n != m:
            raise Differs(f"{where}: {n} and {m} parts:\n  Roost   {a}\n  Dovecot {b}")
        for i in range(n):
            structure(a[i], b[i], f"{where}.{i + 1}")
        values(a[n:], b[n:], where)
        return
    if b"" in b[:2]:
        if a[:2] != [b"text", b"plain"]:
            raise Differs(f"{where}: Dovecot has no type, we {a[:2]}")
        x, y = untyped(a, True), untyped(b, b[0].lower() == b"text")
        if not same_number(x.pop(3), y.pop(3)):
            raise Differs(f"{where}: sizes:\n  Roost   {a}\n  Dovecot {b}")
        values(x, y, where)
        return
    if len(a) > 9 and isinstance(a[7], list) and len(a[7]) == 10 and isinstance(b[7], list) and len(b[7]) == 10 and [w.lower() for w in a[:2]] == [b"message", b"rfc822"]:
        envelope(a[7], b[7], where)
        structure(a[8], b[8], where)
        a, b = a[:7] + a[9:], b[:7] + b[9:]
    values(a, b, where)


def mixed(parameters):
    """The reason "mixed"."""
    names = [x.lower() for x in parameters[::2] if isinstance(x, bytes)]
    return any(name.endswith(b"*") and sum(n.startswith(name) for n in names) > 1 for name in names)


def plain_ascii(part):
    """The reason "case"."""
    if [(w or b"").lower() for w in part[:2]] != [b"text", b"plain"] or not isinstance(part[2], list) or [x.lower() for x in part[2]] != [b"charset", b"us-ascii"]:
        return part
    return [b"text", b"plain", [b"charset", b"us-ascii"], *part[3:]]


def values(a, b, where):
    a, b = (plain_ascii(x) if len(x) > 6 and isinstance(x[0], bytes) else x for x in (a, b))
    for x, y in zip(a, b):
        if x == y or (isinstance(x, str) and isinstance(y, str) and same_number(x, y)):
            continue
        if isinstance(x, bytes) and isinstance(y, bytes) and x.strip() == y.strip():
            continue
        if isinstance(x, list) and isinstance(y, list) and mixed(x):
            continue
        raise Differs(f"{where}:\n  Roost   {x}\n  Dovecot {y}\nin\n  Roost   {a}\n  Dovecot {b}")
    if len(a) != len(b):
        raise Differs(f"{where}:\n  Roost   {a}\n  Dovecot {b}")


def sections(body, at=""):
    """Names of all parts of a BODYSTRUCTURE, and whether they are messages: [(number, kind)]."""
    if isinstance(body[0], list):
        n = next(i for i, x in enumerate(body) if not isinstance(x, list))
        found = [] if not at else [(at, "multipart")]
        for i in range(n):
            found += sections(body[i], f"{at}.{i + 1}" if at else str(i + 1))
        return found
    at = at or "1"
    if [w.lower() for w in body[:2]] == [b"message", b"rfc822"] and len(body) > 8:
        inner = body[8]
        return [(at, "message")] + (sections(inner, at) if isinstance(inner[0], list) else sections(inner, at + ".1"))[0 if not isinstance(inner[0], list) else 1:]
    return [(at, "leaf")]


# --- asking


def fetch(session, n, items):
    cond, lines = session.ask(f"FETCH {n} ({items})")
    for line in lines:
        if b" FETCH (" in line[:40]:
            found = parse(line)[3]
            return cond, dict(zip((i.upper().replace('"', "") for i in found[::2]), found[1::2]))
    return cond, {}


class Message:
    """One message of both."""

    def __init__(self, pair, again, n, name, rng):
        self.pair, self.again, self.n, self.name, self.rng = pair, again, n, name, rng
        self.differences = []

    def note(self, difference):
        self.differences.append(f"{self.name} (message {self.n}), {difference}")

    def play(self):
        (_, a), (_, b) = (fetch(s, self.n, "RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE") for s in self.pair)
        if a.get("RFC822.SIZE") != b.get("RFC822.SIZE"):
            self.note(f"RFC822.SIZE {a.get('RFC822.SIZE')} and {b.get('RFC822.SIZE')}")
        try:
            envelope(a["ENVELOPE"], b["ENVELOPE"], "ENVELOPE")
            structure(a["BODY"], b["BODY"], "BODY")
            structure(a["BODYSTRUCTURE"], b["BODYSTRUCTURE"], "BODYSTRUCTURE")
        except Differs as e:
            if self.name not in OTHERS:
                self.note(e)
            return self.differences
        self.parts = dict(sections(a["BODYSTRUCTURE"]))
        self.untyped = b'"" ""' in b"" or "" in str(b["BODYSTRUCTURE"])
        self.bytes()
        self.binary()
        return self.differences

    def bytes(self):
        names = ["", "HEADER", "TEXT", "1", "1.MIME", "9", "HEADER.FIELDS (SUBJECT FROM X-ODD)", "HEADER.FIELDS.NOT (TO \"Date\" RECEIVED)"]
        for part, kind in self.parts.items():
            names += [part, f"{part}.MIME"]
            if kind == "message":
                names += [f"{part}.HEADER", f"{part}.TEXT", f"{part}.HEADER.FIELDS (subject Content-Type)", f"{part}.HEADER.FIELDS.NOT (SUBJECT)"]
        items = [f"BODY.PEEK[{name}]" for name in dict.fromkeys(names)]
        for at in range(0, len(items), 12):
            (_, a), (_, b) = (fetch(s, self.n, " ".join(items[at:at + 12])) for s in self.pair)
            for item in dict.fromkeys((*a, *b)):
                if a.get(item) != b.get(item) and not self.explained(item, a.get(item), b.get(item)):
                    self.note(f"{item}:\n  Roost   {a.get(item)!r:.700}\n  Dovecot {b.get(item)!r:.700}")
            for item in self.rng.sample(items[at:at + 12], min(4, len(items) - at)):
                self.partial(item, a.get(item.replace(".PEEK", "").upper().replace('"', "")))

    def partial(self, item, whole):
        """A piece is a piece of the whole: no need to ask anybody else."""
        first, most = self.rng.choice((0, 1, 7, 50, 100000)), self.rng.choice((1, 10, 100, 100000))
        _, found = fetch(self.pair[0], self.n, f"{item}<{first}.{most}>")
        if list(found.values()) != [whole if whole is None else whole[first:first + most]]:
            self.note(f"{item}<{first}.{most}>: {found!r:.500} of {whole!r:.500}")

    def explained(self, item, ours, theirs):
        if ours is None and theirs == b"":
            return True  # absent
        ours, theirs = ours or b"", theirs or b""
        part = re.match(r"BODY\[([\d.]*\d)?", item)[1]
        if ("HEADER" in item or "MIME" in item) and not ours.endswith(b"\r\n\r\n") and theirs.startswith(ours.rstrip(b"\r")):
            return True  # no end
        if ours == theirs + b"\r\n" and ("HEADER" in item or "MIME" in item):
            return True
        if theirs == ours + b"\r\n" or theirs == ours + b"\r" or re.match(rb"\r?\n?--", theirs[len(ours):]) and theirs.startswith(ours):
            return True  # line end
        return part is not None and part not in self.parts and ours == b""  # leaf

    def binary(self):
        """Dovecot refuses all parts when it cannot decode one; what is right for this one follows from its header."""
        for part, kind in self.parts.items():
            if kind != "leaf" and self.rng.random() < 0.8:
                continue
            cond, ours = fetch(self.pair[0], self.n, f"BINARY.PEEK[{part}]")
            whole = next(iter(ours.values()), None)
            if self.decodable(part, kind) not in (None, b"[UNKNOWN-CTE]" not in cond):
                self.note(f"BINARY[{part}] {cond} {fetch(self.pair[0], self.n, f'BODY.PEEK[{part}.MIME]')}")
            if cond[:2] != b"OK":
                continue
            _, size = fetch(self.pair[0], self.n, f"BINARY.SIZE[{part}]")
            if size != {f"BINARY.SIZE[{part}]": str(len(whole or b""))}:
                self.note(f"BINARY.SIZE[{part}] {size}, there are {len(whole or b'')}")
            self.partial(f"BINARY.PEEK[{part}]", whole)
            try:
                cond, theirs = fetch(self.pair[1], self.n, f"BINARY.PEEK[{part}]")
            except EOFError:
                self.pair[1] = self.again().select()  # broken
                continue
            theirs = next(iter(theirs.values()), None)
            if cond[:2] == b"OK" and kind == "leaf" and self.decodable(part, kind) is not None and whole != theirs and not self.explained(f"BODY[{part}]", whole, theirs):
                self.note(f"BINARY[{part}]:\n  Roost   {whole!r:.500}\n  Dovecot {theirs!r:.500} {fetch(self.pair[0], self.n, f'BODY.PEEK[{part}.MIME]')[1]}")

    def decodable(self, part, kind):
        _, found = fetch(self.pair[0], self.n, f"BODY.PEEK[{part}.MIME]")
        if kind != "leaf":
            return True
        head = re.sub(rb"\r\n(?=[ \t])", b"", next(iter(found.values()), None) or b"")
        fields = re.findall(rb"(?im)^content-transfer-encoding[ \t]*:([^\r\n]*)", head)
        if len(fields) > 1:
            return None  # twice: whichever
        word = re.sub(rb";.*|\((?:[^()\\]|\\.|\([^()]*\))*\)", b"", fields[0]).strip(b" \t\"").lower() if fields else b""
        return word in (b"", b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")

# --- the mailbox as a whole


def words_of(messages, rng, count):
    """Words that are somewhere."""
    found = []
    for _ in range(count):
        words = re.findall(rb"[A-Za-z0-9]{3,12}", rng.choice(messages)) or [b"alpha"]
        found.append(rng.choice(words).decode())
    return found


def sortable(message):
    """Without what Dovecot sorts by other rules ("blanks", "charset", "twice")."""
    head = re.split(rb"\n\r?\n", message, maxsplit=1)[0].replace(b"\r\n", b"\n")
    subjects = re.findall(rb"(?im)^subject[ \t]*:(?:.*\n[ \t])*.*", head + b"\n")
    others = re.findall(rb"(?im)^(?:from|to|cc|date|references|in-reply-to|message-id)[ \t]*:", head)
    fields = b"\n".join(re.findall(rb"(?im)^(?:subject|from|to|cc)[ \t]*:[ \t]*((?:.*\n[ \t])*.*)", head + b"\n"))
    odd = re.search(rb"=\?(nobody|bad)|\?[bq]\?\?=|[ \t]\n|\n[ \t]+[\n \t]|  |, ,|; |trailing|unended|\t", fields)
    return len(subjects) == 1 and len(others) == len({o.lower().strip(b" \t:") for o in others}) and not odd


def unclear(message):
    """Encoded twice, or a multipart or message that says it is ("twice", "inner")."""
    head = re.split(rb"\n\r?\n", message, maxsplit=1)[0].lower()
    return head.count(b"content-transfer-encoding") > 1 or re.search(rb"multipart|message/", head) and re.search(rb"encoding[ \t]*:.*\n?.*(base64|quoted)", head)


def ordered(pair, messages):
    which = ",".join(str(n) for n, m in enumerate(messages, 1) if sortable(m))
    commands = [f"UID SORT ({key}) UTF-8 UID {which}" for key in ("SUBJECT", "FROM", "TO", "CC", "SIZE", "ARRIVAL", "DATE", "DISPLAYFROM", "REVERSE SUBJECT")]
    commands += [f"UID THREAD {how} UTF-8 UID {which}" for how in ("REFERENCES", "ORDEREDSUBJECT")]
    for command in commands:
        a, b = (b" ".join(s.ask(command)[1]) for s in pair)
        if a != b:
            yield f"{command}:\n  Roost   {a!r:.1500}\n  Dovecot {b!r:.1500}"


def searched(pair, messages, rng):
    """What Dovecot finds we find, too. In bodies and addresses we look into more ("goes on"; RFC 3501 6.4.4: "the body of the message"
    holds the headers of the messages inside)."""
    for word in words_of(messages, rng, 60):
        key = rng.choice(("SUBJECT", "FROM", "TO", "CC", "BODY", "TEXT", "HEADER X-Odd", "HEADER Content-Type", "HEADER References"))
        a, b = ({int(n) for n in b" ".join(s.ask(f'UID SEARCH {key} "{word}"')[1]).split()[2:]} for s in pair)
        more = a - b if key.startswith(("HEADER", "SUBJECT")) else set()
        if word.lower() in "missing_mailbox missing_domain syntax_error invalid_route":
            continue  # Dovecot finds its own stand-ins
        for n in sorted((b - a) | more):
            if key in ("BODY", "TEXT") and unclear(messages[n - 1]):
                continue
            yield f"SEARCH {key} {word}: {'Roost' if n in a else 'Dovecot'} alone finds {n}: {messages[n - 1][:400]!r}"


def previews(pair, count):
    """Roughly, of messages with one part, where Dovecot says something: mostly the same words."""
    for n in range(1, count + 1):
        body = fetch(pair[0], n, "BODY")[1]["BODY"]
        if isinstance(body[0], list) or body[0].lower() != b"text":
            continue
        texts = []
        for session in pair:
            found = fetch(session, n, "PREVIEW")[1].get("PREVIEW")
            found = found[-1] if isinstance(found, list) else found
            texts.append((found or b"").decode("utf-8", "replace").lower())
        if texts[0].startswith(texts[1]):
            continue  # broken: Dovecot ends there
        a, b = (set(re.findall(r"[a-z]{3,}", t)) for t in texts)
        if b and len(a & b) * 2 < len(b):
            yield f"PREVIEW of message {n}:\n  Roost   {texts[0]!r}\n  Dovecot {texts[1]!r}"


def corpus(rng, most):
    """Some of the messages of ROOST_CORPUS: (name, bytes)."""
    top, found = os.environ.get("ROOST_CORPUS", ""), []
    for base, _, files in os.walk(top):
        found += [os.path.join(base, f) for f in files if f != "NOTICE.md"]
    for path in rng.sample(sorted(found), min(most, len(found))):
        with open(path, "rb") as f:
            yield os.path.relpath(path, top), f.read()


def compare(seed, count, real):
    """Differences of so many generated and so many real messages."""
    rng = random.Random(seed)
    messages = [(f"seed {seed}", oddmime.message(rng)) for _ in range(count)]
    messages += corpus(rng, real)
    texts = [text for _, text in messages]
    servers, found = Pair(maildir_of(texts)), []
    with servers as pair:
        pair = [session.select() for session in pair]
        for n, (name, _) in enumerate(messages, 1):
            found += Message(pair, servers.theirs, n, name, rng).play()
        if not real:
            found += ordered(pair, texts)
            found += searched(pair, texts, rng)
            found += previews(pair, count)
    return found


def main():
    plan = [(1, 300, 0), (2, 300, 0), (3, 0, 600)]
    if len(sys.argv) > 1:
        plan = [(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 200, int(sys.argv[3]) if len(sys.argv) > 3 else 0)]
    found = [difference for job in plan for difference in compare(*job)]
    for difference in found[:int(os.environ.get("SHOW", "20"))]:
        print(difference)
    if found:
        sys.exit(f"{len(found)} differences")
    print("mime_differential: well")


if __name__ == "__main__":
    main()
