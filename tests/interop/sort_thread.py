#!/usr/bin/env python3
"""SORT and THREAD of generated mail, to us and to Debian's Dovecot 2.3: the answers must be the same.

Usage: sort_thread.py [SEED [MESSAGES]]

Odd subjects, missing and broken dates, groups, encoded names, ids that are quoted, taken twice or missing, references in
loops. Not generated, because Dovecot differs:

 1. Dates before 1970 and after 2106. RFC 5256 3: "Earlier dates sort before later dates"; Dovecot takes them modulo 2^32.
 2. Several Subject fields in a message: SORT has the last here, as ENVELOPE has (RFC 3501 7.4.2); Dovecot the first.
 3. An empty member in front of an address list (RFC 5322 4.4): we take the first address, Dovecot none.
 4. No threads. RFC 5256 5: "THREAD" [SP 1*thread-list]; Dovecot leaves the blank. Passed over.
 5. THREAD=REFS is in no RFC: threads with the same latest date stand in another order. All dates differ here.
"""
import email.utils
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testpair import Pair, make_maildir  # noqa: E402

KEYS = ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "REVERSE DATE", "REVERSE SUBJECT",
        "SUBJECT REVERSE DATE", "FROM TO REVERSE SUBJECT")
WORDS = ("alpha", "beta", "Gamma", "", "=?utf-8?q?Caf=C3=A9?=", "plan [x]", "[list] z", "one", "two  three")
BEFORE = ("", "Re: ", "re: ", "Fwd: ", "[list] ", "Re[2]: ", "[fwd: ")
FROM = ("a@b", "Zed <z@x>", '"Bob B" <bob@y>', "=?utf-8?q?=C3=84nne=2C_X?= <anne@q>", "x", "g: a@b, c@d;", "undisclosed:;",
        "<@r:foo@bar>", "")
TO = ("b@c", "Zoe <z@x>, a@b", '"al" <AL@y>', "(comment) q@r", "")


def message(rng, i, n, dates):
    before = rng.choice(BEFORE)
    subject = before + rng.choice(WORDS) + ("]" if before == "[fwd: " else "") + rng.choice(("", "", "", " (fwd)"))
    fields = [f"From: {rng.choice(FROM)}", f"To: {rng.choice(TO)}"]
    if rng.random() < 0.95:
        fields.append(f"Subject: {subject}")
    if rng.random() < 0.95:
        fields.append("Date: " + email.utils.formatdate(dates[i]))
    elif rng.random() < 0.5:
        fields.append("Date: garbage")
    if rng.random() < 0.3:
        fields.append("Cc: " + rng.choice(("b@c", "Y <y@x>")))
    if rng.random() < 0.93:
        one = rng.randrange(n) if rng.random() < 0.1 else i
        fields.append("Message-ID: " + rng.choice((f"<m{one}@x>",) * 9 + (f'<"m{one}"@x>', "<bad id>")))
    if rng.random() < 0.6:
        near = [f"<m{rng.randrange(max(0, i - 15), i + 1)}@x>" for _ in range(4)]
        far = [f"<m{rng.randrange(n)}@x>", f"<none{rng.randrange(10)}@y>"]
        fields.append("References: " + " ".join(rng.choice(near + far) for _ in range(rng.choice((1, 1, 2, 3, 5)))))
    if rng.random() < 0.2:
        fields.append("In-Reply-To: " + rng.choice(("", "Your message of Monday ", "foo ")) + f"<m{rng.randrange(n)}@x>")
    rng.shuffle(fields)
    return "\n".join(fields) + "\n\n" + "x" * rng.randrange(200) + "\n"


def fill(rng, top, n):
    make_maildir(top)
    dates = rng.sample(range(1000000000, 1000000000 + rng.choice((10 * n, 100000 * n))), n)
    arrivals = rng.sample(range(1200000000, 1200000000 + 10 * n), n)
    for i in range(n):
        path = f"{top}/cur/{1000000000 + i}.M{i:06d}P1.x:2,"
        with open(path, "w") as f:
            f.write(message(rng, i, n, dates))
        os.utime(path, (arrivals[i], arrivals[i]))


def meaning(responses):
    """Items of an ESEARCH may come in any order."""
    return [sorted(re.findall(rb"[A-Z]+ [^A-Z]+", r + b" ")) if b"ESEARCH" in r else r.strip() for r in responses]


def play(ours, theirs):
    commands = [f"SORT ({k}) UTF-8 ALL" for k in KEYS]
    commands += ["UID SORT RETURN (MIN MAX COUNT ALL) (REVERSE SUBJECT) UTF-8 ALL", "SORT RETURN () (SIZE) US-ASCII 3:40"]
    commands += [f"THREAD {how} UTF-8 {which}" for how in ("ORDEREDSUBJECT", "REFERENCES", "REFS")
                 for which in ("ALL", "7:90", "NOT SUBJECT beta", "FROM nobody-at-all")]
    for command in commands:
        a, b = meaning(ours.say(command)), meaning(theirs.say(command))
        assert a == b, (command, a, b)


def main(seed, n):
    with Pair(lambda top: fill(random.Random(seed), top, n)) as (ours, theirs):
        play(ours.select(), theirs.select())


if len(sys.argv) > 1:
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 300)
else:
    for number in range(1, 5):
        main(number, 100 * number * number)
print("sort_thread: well")
