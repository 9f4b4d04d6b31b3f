"""A certificate for the loopback, signed by an authority made for this one run."""

from __future__ import annotations

from pathlib import Path

import trustme


def certificate_files(folder: Path) -> tuple[Path, Path]:
    """Write the authority (``ca.pem``) and the server's certificate with its key.

    The key is readable by this user only, and the folder goes when the sandbox ends.

    Returns:
        The file for clients to trust, and the file for the server to load.
    """
    authority = trustme.CA(organization_name="Rapidata sandbox")
    server = authority.issue_cert("127.0.0.1", "::1", "localhost")
    ca_file, server_file = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(ca_file)
    server_file.touch(mode=0o600)
    server_file.write_bytes(server.private_key_and_cert_chain_pem.bytes())
    return ca_file, server_file
