"""The command `harness`: one module per subcommand; commands import heavy modules when they run."""
