# Floor index: see doc/architecture.md, section 3.
