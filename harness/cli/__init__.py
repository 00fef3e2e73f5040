"""The command `harness`: one module a subcommand; heavy imports happen inside the commands."""
