"""nano: a collector of a few million parameters, trained from random weights on any machine."""
