# Floor proc: see doc/architecture.md, section 3.
