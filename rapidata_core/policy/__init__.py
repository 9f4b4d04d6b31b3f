"""Decisions without I/O: pure functions of what has been seen, tested without network or clock."""
