# Floor ipc: see doc/architecture.md, section 3.
