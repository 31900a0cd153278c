# Floor control: see doc/architecture.md, section 3.
