"""Two workloads and a suite, as a package outside this one has them."""
