"""The built-in debtor against DebtBench's Table 3: `fit` sets constants, `report` checks them."""
