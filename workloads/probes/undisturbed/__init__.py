"""Nothing is wrong: a linear teacher, isotropic inputs, no noise."""
