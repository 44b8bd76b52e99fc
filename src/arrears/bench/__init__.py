"""A thousand dialogues: plan, play, store, resume, report."""
