# Floor lmtp: see doc/architecture.md, section 3.
