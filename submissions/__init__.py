"""Training algorithms, one folder each, and their shared code in `common`."""
