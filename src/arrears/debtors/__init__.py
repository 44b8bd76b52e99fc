"""Who sits across the table: the record of a debtor, populations and the shipped suites."""
