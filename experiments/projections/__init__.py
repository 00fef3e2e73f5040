"""The experiment without trials: what a random projection of images preserves."""
