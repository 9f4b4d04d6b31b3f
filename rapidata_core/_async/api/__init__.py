"""The platform's HTTP API: one module per service, one method per call, nothing clever."""
