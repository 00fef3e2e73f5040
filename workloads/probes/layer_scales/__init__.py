"""Three layers whose weights live on scales 100, 1 and 0.01."""
