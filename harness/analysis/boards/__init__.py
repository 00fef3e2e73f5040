"""The boards that ship: SUITE-FRAMEWORK.json.gz, the results of a board's trials as a frame."""
