"""The platform's endpoints, one module per service.

A handler is a plain function from a :class:`~rapidata_core.sandbox.api.call.Call` to a JSON value
(200), ``None`` (204) or a Starlette response.
"""
