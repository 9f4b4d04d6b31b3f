"""A local platform: a real server that speaks Rapidata's wire, with simulated people and money.

``rapidata_core.sandbox.process.Sandbox`` starts one as a child process; ``rapidata-orchestration
sandbox`` runs one in the foreground. Importing this package loads no web framework and no
database; only the server process itself does.
"""
