"""How targets and budgets are found: tuned baselines, twenty seeds, one pure rule."""
