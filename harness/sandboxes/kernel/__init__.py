"""What the Linux kernel offers to confine a worker."""
