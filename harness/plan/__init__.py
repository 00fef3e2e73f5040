"""From names and a round seed to frozen trials, before anything runs."""
