import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from rapidata_core.errors import AuthenticationError
from rapidata_core.sandbox.process import Sandbox
from rapidata_dagster import RapidataResource, rapidata_labels

SECRET = "very-secret-indeed"


def test_client_is_made_once_and_works(sandbox: Sandbox) -> None:
    resource = RapidataResource()
    client = resource.get_client()
    assert resource.get_client() is client
    assert client.audience.get_audience_by_id("global").id == "global"
    client.close()


def test_empty_fields_are_read_from_the_environment(sandbox: Sandbox) -> None:
    resource = RapidataResource(client_id="", client_secret="", environment="", namespace="")
    with resource.get_client() as client:
        assert client.audience.get_audience_by_id("global").id == "global"


def test_fields_win_over_the_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAPIDATA_CLIENT_ID", "RAPIDATA_CLIENT_SECRET", "RAPIDATA_ENVIRONMENT"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    resource = RapidataResource(
        client_id=sandbox.client_id, client_secret=sandbox.client_secret, environment=sandbox.url
    )
    with resource.get_client() as client:
        assert client.audience.get_audience_by_id("global").id == "global"


def test_missing_credentials_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAPIDATA_CLIENT_ID", raising=False)
    monkeypatch.delenv("RAPIDATA_CLIENT_SECRET", raising=False)
    with pytest.raises(AuthenticationError, match="RAPIDATA_CLIENT_SECRET"):
        RapidataResource().get_client()


def test_secret_is_not_represented() -> None:
    resource = RapidataResource(client_id="someone", client_secret=SECRET)
    assert "someone" in repr(resource)
    assert SECRET not in repr(resource) + str(resource)
    with resource.get_client() as client:
        assert SECRET not in repr(client)


def shown_in_ui(resource: RapidataResource) -> str:
    @rapidata_labels(directory="labels")
    def labels() -> str:
        return ""

    definitions = dg.Definitions(assets=[labels], resources={"rapidata": resource})
    return serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))


def test_ui_shows_the_name_of_an_env_var_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", SECRET)
    shown = shown_in_ui(RapidataResource(client_secret=dg.EnvVar("MY_SECRET")))
    assert "MY_SECRET" in shown
    assert SECRET not in shown
    # The reason why the documentation insists on EnvVar.
    assert SECRET in shown_in_ui(RapidataResource(client_secret=SECRET))
