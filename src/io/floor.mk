# Floor io: see doc/architecture.md, section 3.
