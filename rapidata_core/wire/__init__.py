"""The platform's JSON as pydantic models: one module per service, no behaviour."""
