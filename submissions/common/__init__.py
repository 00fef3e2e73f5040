"""Linear algebra, schedules and base classes shared by submissions."""
