"""The block."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import httpx
import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites import BlockStandardTestSuite
from prefect.utilities.dispatch import get_registry_for_type
from pydantic import SecretStr

from rapidata_core.errors import AuthenticationError, ValidationError
from rapidata_core.sandbox.process import Sandbox
from rapidata_prefect import RapidataCredentials


class TestStandards(BlockStandardTestSuite):
    @pytest.fixture
    def block(self) -> type[Block]:
        return RapidataCredentials

    def test_has_a_valid_image(self, block: type[Block]) -> None:
        """The suite's own test would download it."""
        assert str(block._logo_url).startswith("https://")


def block_of(sandbox: Sandbox) -> RapidataCredentials:
    return RapidataCredentials(
        client_id=sandbox.client_id,
        client_secret=SecretStr(sandbox.client_secret),
        environment=sandbox.url,
    )


async def test_a_saved_block_is_loaded_with_its_secret(
    sandbox: Sandbox, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in sandbox.environ:
        monkeypatch.delenv(name)
    saved = await block_of(sandbox).save("round-trip", overwrite=True)
    loaded = await RapidataCredentials.aload("round-trip")
    async with loaded.get_async_client() as client:
        assert (await client.audience.get_audience_by_id("global")).id == "global"
    assert sandbox.client_secret not in repr(loaded)
    async with httpx.AsyncClient() as server:
        shown = (await server.get(f"{prefect_server}/block_documents/{saved}")).text
    assert sandbox.client_id in shown
    assert sandbox.client_secret not in shown


def test_the_synchronous_client_logs_in_too(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = block_of(sandbox)
    for name in sandbox.environ:
        monkeypatch.delenv(name)
    assert block.get_client().audience.get_audience_by_id("global").id == "global"


async def test_an_empty_block_takes_the_variables(sandbox: Sandbox) -> None:
    async with RapidataCredentials().get_async_client() as client:
        assert (await client.audience.get_audience_by_id("global")).id == "global"
    assert sandbox.requests()


async def test_the_block_wins_over_the_variables(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPIDATA_CLIENT_SECRET", "wrong")
    async with block_of(sandbox).get_async_client() as client:
        assert (await client.audience.get_audience_by_id("global")).id == "global"


def test_no_credentials_at_all() -> None:
    with pytest.raises(AuthenticationError, match="RAPIDATA_CLIENT_ID"):
        RapidataCredentials().get_client()


def test_a_mask_is_no_secret() -> None:
    block = RapidataCredentials(client_id="someone", client_secret=SecretStr("********"))
    with pytest.raises(ValidationError, match="pass the block's name"):
        block.get_client()


def test_the_entry_point_loads_the_block() -> None:
    (found,) = entry_points(group="prefect.collections", name="rapidata_prefect")
    assert found.load().RapidataCredentials is RapidataCredentials
    assert get_registry_for_type(Block)["rapidata-credentials"] is RapidataCredentials


@pytest.mark.parametrize("module", ["rapidata_prefect", "rapidata_prefect.credentials"])
def test_registering_a_module_registers_the_block_and_no_other(
    module: str, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    command = [sys.executable, "-m", "prefect", "block", "register", "-m", module]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    assert "Successfully registered 1 block" in run.stdout
    assert "Rapidata Credentials" in run.stdout
