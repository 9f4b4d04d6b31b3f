"""Where settings come from, and where credentials may go."""

import json

import pytest

from rapidata_core import RapidataClient, errors
from rapidata_core.config import Endpoints, Settings

PAIR = {"RAPIDATA_CLIENT_ID": "id-env", "RAPIDATA_CLIENT_SECRET": "secret-env"}


def resolve(variables, home=None, **arguments):
    return Settings.resolve(variables={"HOME": str(home or "/nowhere"), **variables}, **arguments)


def store(home, entries):
    folder = home / ".config" / "rapidata"
    folder.mkdir(parents=True)
    text = entries if isinstance(entries, str) else json.dumps(entries)
    (folder / "credentials.json").write_text(text)


@pytest.mark.parametrize(
    ("environment", "api", "auth"),
    [
        ("rapidata.ai", "https://api.rapidata.ai", "https://auth.rapidata.ai"),
        ("sandbox.test:8443", "https://api.sandbox.test:8443", "https://auth.sandbox.test:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1", "http://localhost:1"),
        ("https://box.internal/base", "https://box.internal/base", "https://box.internal/base"),
        ("@127.0.0.1:8443", "https://127.0.0.1:8443", "https://127.0.0.1:8443"),
    ],
)
def test_environments(environment, api, auth):
    endpoints = Endpoints.of(environment)
    assert (endpoints.api, endpoints.auth) == (api, auth)


@pytest.mark.parametrize(
    "environment",
    [
        "ftp://rapidata.ai",
        "http://",
        "rapidata.ai/path",
        "rapidata ai",
        "https://user:pw@rapidata.ai",
        "https://rapidata.ai?x=1",
        "host:port",
    ],
)
def test_what_is_no_environment(environment):
    with pytest.raises(errors.ValidationError, match="environment is not valid"):
        Endpoints.of(environment)


def test_credentials_never_travel_unencrypted_to_another_machine():
    with pytest.raises(errors.ValidationError, match="use https://"):
        Endpoints.of("http://sandbox.example:8080")


def test_arguments_win_over_variables_and_variables_over_the_file(tmp_path):
    store(tmp_path, {"https://auth.rapidata.ai": [entry("id-file", "2026")]})
    from_arguments = resolve(PAIR, tmp_path, client_id="id-arg", client_secret="s")
    assert from_arguments.client_id == "id-arg"
    assert resolve(PAIR, tmp_path).client_id == "id-env"
    assert resolve({}, tmp_path).client_id == "id-file"


def entry(identity, used):
    return {"client_id": identity, "client_secret": "s", "last_used": used}


def test_the_file_s_latest_entry_for_this_environment(tmp_path):
    store(
        tmp_path,
        {
            "https://auth.rapidata.ai": [entry("old", "2025"), entry("new", "2026")],
            "https://auth.other.ai": [entry("other", "2027")],
        },
    )
    assert resolve({}, tmp_path).client_id == "new"
    assert resolve({}, tmp_path, environment="other.ai").client_id == "other"


@pytest.mark.parametrize("content", ["{", '{"https://auth.rapidata.ai": [{}]}'])
def test_a_broken_file_is_named_but_not_quoted(tmp_path, content):
    store(tmp_path, content)
    with pytest.raises(errors.ValidationError, match=r"credentials\.json"):
        resolve({}, tmp_path)


def test_empty_strings_are_unset(tmp_path):
    store(tmp_path, {"https://auth.rapidata.ai": [entry("id-file", "2026")]})
    empty = {"RAPIDATA_CLIENT_ID": "", "RAPIDATA_CLIENT_SECRET": "", "RAPIDATA_ENVIRONMENT": ""}
    settings = resolve(empty, tmp_path, client_id="", namespace="")
    assert (settings.client_id, settings.environment) == ("id-file", "rapidata.ai")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "there are no credentials.*rapidata-orchestration sandbox"),
        ({"RAPIDATA_CLIENT_ID": "x"}, "client id but no client secret"),
        ({"RAPIDATA_CLIENT_SECRET": "x"}, "client secret but no client id"),
    ],
)
def test_missing_credentials(variables, message, tmp_path):
    with pytest.raises(errors.AuthenticationError, match=message):
        resolve(variables, tmp_path)


def test_a_token_file_needs_no_credentials(tmp_path):
    settings = resolve({"RAPIDATA_TOKEN_FILE": "token.json"}, tmp_path)
    assert (settings.token_file.name, settings.client_id) == ("token.json", None)


def test_secrets_are_not_shown():
    settings = resolve({}, client_id="me", client_secret="canary-secret")
    client = RapidataClient("me", "canary-secret")
    shown = f"{settings!r} {client!r} {client.job!r} {vars(client)!r}"
    assert "canary-secret" not in shown
