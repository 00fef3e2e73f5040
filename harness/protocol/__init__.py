"""The messages between referee and worker, and their transport."""
