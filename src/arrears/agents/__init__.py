"""Who speaks: built-in behavioural agents, and the words they find."""
