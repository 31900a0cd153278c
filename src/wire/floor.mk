# Floor wire: see doc/architecture.md, section 3.
