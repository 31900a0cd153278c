#!/usr/bin/env python3
"""Dovecot and Roost in turn on the same mboxes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testalternate import alternate  # noqa: E402

alternate("mbox:~/mail:INBOX=~/inbox", "mail/.imap/roost.index")
print("dovecot_mbox: well")
