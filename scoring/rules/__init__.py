"""Scoring rules as TOML files: included ones by name, others by path."""

from scoring.rules.model import Quadrature, Rules, RuleTarget
from scoring.rules.read import load_rules, shipped_rules

__all__ = ["Quadrature", "RuleTarget", "Rules", "load_rules", "shipped_rules"]
