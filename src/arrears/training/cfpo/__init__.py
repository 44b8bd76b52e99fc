"""Coarse-to-fine preference optimisation (DebtBench §4): pairs that look to the end of the talk."""
