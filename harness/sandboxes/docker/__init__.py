"""The sandbox `docker`: each worker in a container of its own."""
