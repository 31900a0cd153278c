# Floor imap: see doc/architecture.md, section 3.
