"""Progress displays for running trials."""
