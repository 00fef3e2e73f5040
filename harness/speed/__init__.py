"""This machine's training speed, by which budgets are scaled."""
