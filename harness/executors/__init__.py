"""Where whole trials run."""
