"""MADeN (DCN §5): a planner and a judge beside the one who speaks, built-in or models."""
