"""Nine small gradients of ten point away from the solution, the tenth, a hundred times larger, towards it."""
