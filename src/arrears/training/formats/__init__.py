"""Training data as files: TRL's conversational rows, and LLaMA-Factory's folder with its runs."""
