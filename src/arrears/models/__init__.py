"""How a model is called: names, transport, retries, limits, money, cache, local models."""
