"""Training data by rejection sampling (DCN §6.3): play in many styles, keep the best, turn it into
questions and answers, and for preferences let a weak model answer the same questions badly.
"""
