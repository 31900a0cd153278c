# Floor codec: see doc/architecture.md, section 3.
