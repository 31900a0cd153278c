#!/usr/bin/env python3
"""While one session searches or fetches long, the others of the same worker are served: NOOPs of a second one are timed."""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from testsite import GID, ROOT, UID, Site  # noqa: E402

USER = "anna@example.org"
MESSAGES, SIZE = 1500, 40000
SLOWEST = 0.25  # seconds; a slice is 4 ms, the rest is for a busy machine


def fill(folder):
    rng = random.Random(1)
    text = "\n".join("".join(rng.choice("abcdefgh ijklm") for _ in range(70)) for _ in range(SIZE // 71))
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{sub}", exist_ok=True)
    for n in range(MESSAGES):
        with open(f"{folder}/cur/{1700000000 + n}.M{n}P1.test:2,S", "w") as f:
            f.write(f"Subject: {n}\n\n{text}\n")
    for base, _, files in os.walk(os.path.dirname(folder)):
        for name in [base] + [f"{base}/{f}" for f in files]:
            if ROOT:
                os.chown(name, UID, GID)


def meanwhile(other, command):
    """How long the command took, how long each NOOP of the other session did, and what came."""
    spent = []

    def run():
        begin = time.perf_counter()
        found = command()
        spent.append((time.perf_counter() - begin, found))
    thread = threading.Thread(target=run)
    thread.start()
    times = []
    while thread.is_alive():
        begin = time.perf_counter()
        assert other.noop()[0] == "OK"
        times.append(time.perf_counter() - begin)
        time.sleep(0.005)
    thread.join()
    return spent[0][0], times, spent[0][1]


def main():
    with Site({USER: "secret"}, start=False) as site:
        fill(site.maildir(USER))
        site.start()
        first, second = site.imap(USER), site.imap(USER)
        for imap in (first, second):
            imap.select("INBOX")
        first.search(None, "BODY", "nowhere-1")
        needles = [word for n in range(150) for word in ("BODY", f"nowhere-{n}")]
        seconds, times, found = meanwhile(second, lambda: first.search(None, *(["OR"] * 149 + needles)))
        print(f"search {seconds:.2f} s, {len(times)} NOOPs meanwhile, slowest {max(times) * 1000:.0f} ms")
        assert found == ("OK", [b""]), found
        assert seconds > 0.3, "the search is too quick to prove anything"
        assert len(times) >= 10 and max(times) < SLOWEST, times
        # Many sections of one message that has a header of very many fields.
        first.append("INBOX", None, None, b"a: b\r\n" * 300000 + b"\r\nx\r\n")
        sections = " ".join(f"BODY.PEEK[HEADER.FIELDS (x{n})]" for n in range(60))
        seconds, times, found = meanwhile(second, lambda: first.fetch(str(MESSAGES + 1), f"({sections})"))
        print(f"sections {seconds:.2f} s, {len(times)} NOOPs meanwhile, slowest {max(times) * 1000:.0f} ms")
        assert found[0] == "OK" and len(times) >= 10, (found[0], times)
        # Many keys against a header of megabytes.
        first.append("INBOX", None, None, (b"Subject: " + b"y" * 900000 + b"\r\n") * 5 + b"\r\nx\r\n")
        keys = [word for n in range(150) for word in ("SUBJECT", f"x{n}")]
        seconds, times, found = meanwhile(second, lambda: first.search(None, str(MESSAGES + 2), *(["OR"] * 149 + keys)))
        print(f"keys {seconds:.2f} s, {len(times)} NOOPs meanwhile, slowest {max(times) * 1000:.0f} ms")
        assert found == ("OK", [b""]) and len(times) >= 10, (found, times)
        assert first.noop()[0] == "OK"


if __name__ == "__main__":
    main()
