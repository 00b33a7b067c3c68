"""Raises as it is imported."""

application = 1 / 0
