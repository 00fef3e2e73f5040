"""The Rosenbrock function of two variables, from several starts."""
