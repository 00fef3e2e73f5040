"""Hidden tanh units that begin saturated: their derivatives are 10^-4."""
