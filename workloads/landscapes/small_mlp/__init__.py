"""A small perceptron on a noisy teacher's labels: cheap steps, with layers to be changed."""
