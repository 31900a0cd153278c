# Floor auth: see doc/architecture.md, section 3.
