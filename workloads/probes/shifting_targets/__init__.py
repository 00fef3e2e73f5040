"""Another teacher gives the targets for the first 60 % of the budget."""
