"""Tasks that people work on."""
