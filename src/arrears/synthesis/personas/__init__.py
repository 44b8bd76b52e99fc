"""Personas from conversations: extracted, enriched, and refined until they behave as they say."""
