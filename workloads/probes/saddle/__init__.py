"""Three linear layers that begin near zero, where every gradient vanishes to second order."""
