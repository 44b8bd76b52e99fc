"""How real a population and its talks are: what can be measured of it, and an ablation."""
