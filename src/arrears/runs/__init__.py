"""A folder that is written over time: who may write it, and by which code and data it was begun."""
