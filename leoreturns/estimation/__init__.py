"""Estimators: a formula and a panel in, an `Estimate` out."""
