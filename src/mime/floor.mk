# Floor mime: see doc/architecture.md, section 3.
