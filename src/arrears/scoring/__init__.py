"""How a dialogue is scored: DCN's 13 and DebtBench's 9 metrics, the built-in rubric, statistics."""
