# Floor worker: see doc/architecture.md, section 3.
