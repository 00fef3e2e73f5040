"""Three-layer perceptron on projected images."""
