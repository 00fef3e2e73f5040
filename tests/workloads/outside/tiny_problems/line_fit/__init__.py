"""A linear fit of real targets under squared error."""
