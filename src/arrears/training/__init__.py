"""Collectors that learn: what they are trained on, how, and whether it helped."""
