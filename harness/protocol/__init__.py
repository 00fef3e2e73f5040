"""What referee and worker say to each other, and how it is carried."""
