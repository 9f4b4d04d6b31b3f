"""Telling people about jobs."""
