"""Rigorous arithmetic: exact dyadic arrays and the Arb engine (the reference engine)."""
