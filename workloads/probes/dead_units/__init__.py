"""ReLU units that begin switched off for all but 1 in 150 examples."""
