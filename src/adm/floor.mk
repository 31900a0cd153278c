# Floor adm: see doc/architecture.md, section 3.
