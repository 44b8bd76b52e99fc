"""The built-in debtor held against DebtBench's Table 3: `fit` sets constants, `report` checks them."""
