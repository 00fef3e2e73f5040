"""Each weight column has a gradient only when its input is drawn, the rarest in one of 300 examples."""
