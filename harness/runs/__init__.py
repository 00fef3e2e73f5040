"""From a request to finished records, for the command line and for programs."""
