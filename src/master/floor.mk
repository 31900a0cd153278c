# Floor master: see doc/architecture.md, section 3.
