# Floor login: see doc/architecture.md, section 3.
