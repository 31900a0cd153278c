# Floor box: see doc/architecture.md, section 3.
