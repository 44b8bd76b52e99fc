"""Debtors from data: records from a table, personas and strategies from conversations."""
