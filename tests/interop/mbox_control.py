#!/usr/bin/env python3
"""Dovecot and Roost in turn on mboxes with CONTROL=; they count UIDVALIDITYs in one place."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import testalternate  # noqa: E402

found = set()


class Round(testalternate.Round):
    def run(self, number):
        super().run(number)
        for where, _, names in os.walk(self.site.home(testalternate.USER)):
            found.update(os.path.basename(where) for name in names if name.startswith("dovecot-uidvalidity"))


testalternate.Round = Round
sys.argv[1:] = sys.argv[1:] or ["4"]
testalternate.alternate("mbox:~/mail:INBOX=~/inbox:CONTROL=~/control", "control/.imap/roost.index")
assert found == {"control"}, found
print("mbox_control: well")
