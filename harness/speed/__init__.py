"""How fast this machine trains, and what that makes of a budget."""
