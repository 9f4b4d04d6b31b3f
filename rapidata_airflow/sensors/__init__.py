"""Sensors of the Rapidata provider."""
