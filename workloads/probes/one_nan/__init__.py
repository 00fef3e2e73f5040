"""One target is NaN, a quarter into the budget."""
