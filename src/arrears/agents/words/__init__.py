"""The words of the built-in seats: phrase banks as data, and how a message is put together."""
