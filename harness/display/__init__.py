"""What a user sees while trials run."""
