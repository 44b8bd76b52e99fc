"""What exactly is said to a model: one text file a prompt, by language, filled in one pass."""
