# Floor store: see doc/architecture.md, section 3.
