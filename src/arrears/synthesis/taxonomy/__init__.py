"""A taxonomy of strategies from conversations: mined, reviewed by people, applied to new talks.

The method is DebtBench's: (strategy, utterance) pairs, sentence embeddings, a clustering by
density, ten representatives a cluster, and people who name, merge, split and drop.
"""
