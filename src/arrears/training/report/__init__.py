"""Before and after: did the training help, on the same held-out debtors?

A run of `arrears bench` holds the talks of both. What is compared was played alike to the last
seed; whatever was not is refused.
"""
