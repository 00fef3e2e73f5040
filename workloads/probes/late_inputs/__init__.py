"""Half of the inputs are silent for the first 60 % of the budget."""
