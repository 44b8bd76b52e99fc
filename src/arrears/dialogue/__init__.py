"""The rules of the table: acts, the parser, the ledger, the views and the one loop."""
