"""The machine that trials run on: cores, GPUs, hardware, load and interference."""
