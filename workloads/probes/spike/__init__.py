"""One batch of wrong targets with a gradient 10^6 times the usual, early on."""
