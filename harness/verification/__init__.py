"""Checks of a store and its claims: replay, audits and reruns."""
