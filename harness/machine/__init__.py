"""The machine that trials run on: how fast it trains."""
