"""The connection to the Rapidata platform."""
