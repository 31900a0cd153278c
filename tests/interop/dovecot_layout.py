#!/usr/bin/env python3
"""Dovecot and Roost in turn on Maildirs of other shapes: LAYOUT=fs, DIRNAME, MAILBOXDIR, CONTROL, UTF-8."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testalternate import alternate  # noqa: E402

alternate("maildir:~/Maildir:LAYOUT=fs", "Maildir/roost.index*")
alternate("maildir:~/Maildir:LAYOUT=fs:DIRNAME=mAil:CONTROL=~/control:SUBSCRIPTIONS=subs:NO-NOSELECT", "Maildir/roost.index*")
alternate("maildir:~/Maildir:LAYOUT=fs:MAILBOXDIR=boxes:FULLDIRNAME=mAil:CONTROL=~/control", "Maildir/roost.index*")
alternate("maildir:~/Maildir:CONTROL=~/control:INDEX=~/index:UTF-8", "index")
print("dovecot_layout: well")
