# Floor conf: see doc/architecture.md, section 3.
