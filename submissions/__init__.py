"""Training algorithms, one folder each, and the mathematics that they share."""
