"""The experiment without trials: what the random projection of images keeps."""
