"""The Guided Descent harness: plan, trial, record; see docs/ARCHITECTURE.md for the flow."""
