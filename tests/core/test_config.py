"""Where settings come from, and where credentials may go."""

import json
import logging
import re
from pathlib import Path

import pytest

import rapidata_core
from rapidata_core import CompressionConfig, RapidataClient, errors
from rapidata_core.config import Endpoints, RapidataConfig, Settings
from rapidata_core.display import draw_progress, show
from rapidata_core.types import JobProgress

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


@pytest.fixture
def config():
    """A configuration of one's own; the logger is as before afterwards."""
    before = list(rapidata_core.logger.handlers)
    yield RapidataConfig()
    for handler in set(rapidata_core.logger.handlers) - set(before):
        rapidata_core.logger.removeHandler(handler)
        handler.close()
    rapidata_core.logger.setLevel(logging.NOTSET)


def test_the_documented_defaults(config, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert config.upload.model_dump() == {
        "maxWorkers": 25,
        "maxRetries": 3,
        "cacheToDisk": True,
        "cacheTimeout": 1.0,
        "cacheLocation": Path("~/.cache/rapidata/upload_cache").expanduser(),
        "cacheShards": 128,
        "batchSize": 1000,
        "batchPollInterval": 0.5,
        "compression": None,
        "contextShortening": False,
        "failureTolerance": 0.0,
        "checkForExplicitContent": None,
    }
    assert (config.logging.level, config.logging.log_file) == ("WARNING", None)
    assert config.logging.format == "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
    assert config.logging.silent_mode is False
    # Nothing is ever sent, whatever the switch says.
    assert config.logging.enable_otlp is False


def test_variables_come_before_defaults_and_code_before_variables(config, monkeypatch):
    monkeypatch.setenv("RAPIDATA_maxWorkers", "7")
    monkeypatch.setenv("RAPIDATA_cacheToDisk", "No")
    monkeypatch.setenv("RAPIDATA_silent_mode", "YES")
    monkeypatch.setenv("RAPIDATA_failureTolerance", "0.25")
    monkeypatch.setenv("RAPIDATA_cacheLocation", "~/elsewhere")
    monkeypatch.setenv("RAPIDATA_log_file", "")
    assert config.upload.maxWorkers == 7
    assert config.upload.cacheToDisk is False
    assert config.logging.silent_mode is True
    assert config.upload.failureTolerance == 0.25
    assert config.upload.cacheLocation == Path("~/elsewhere").expanduser()
    assert config.logging.log_file is None
    config.upload.maxWorkers = 9
    assert config.upload.maxWorkers == 9


def test_where_uploads_are_remembered(config, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert str(config.upload.cacheLocation) == "/caches/rapidata/upload_cache"


def test_the_older_name_of_context_shortening(config):
    config.upload.autoShortenContext = True
    assert config.upload.contextShortening is True
    assert config.upload.autoShortenContext is True


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("maxWorkers", 0, "maxWorkers: Input should be greater than or equal to 1"),
        ("maxWorkers", 2.5, "maxWorkers: Input should be a valid integer"),
        ("maxRetries", "many", "maxRetries: Input should be a valid integer"),
        ("batchSize", 99, "batchSize: Input should be greater than or equal to 100"),
        ("failureTolerance", 1.5, "failureTolerance: Input should be less than or equal to 1"),
        ("cacheToDisk", 7, "cacheToDisk: Input should be a valid boolean"),
        ("compression", 70, "compression: Input should be a valid dictionary or instance"),
        ("cacheShards", 32, "cacheShards: Field is frozen"),
        ("cacheLocation", "x", "cacheLocation: Field is frozen"),
        ("maxUploadWorkers", 5, "maxUploadWorkers: Object has no attribute"),
    ],
)
def test_wrong_values_change_nothing(config, name, value, problem):
    before = config.upload.model_dump()
    with pytest.raises(errors.ValidationError) as caught:
        setattr(config.upload, name, value)
    assert problem in str(caught.value)
    assert config.upload.model_dump() == before


def test_wrong_variables_are_reported_all_at_once_when_a_client_is_made(monkeypatch):
    for name, value in PAIR.items():
        monkeypatch.setenv(name, value)
    # As in a process that has not looked at its variables yet.
    monkeypatch.setattr("rapidata_core._sync.client.rapidata_config", RapidataConfig())
    monkeypatch.setenv("RAPIDATA_maxWorkers", "lots")
    monkeypatch.setenv("RAPIDATA_batchSize", "1")
    with pytest.raises(errors.ValidationError) as caught:
        RapidataClient()
    assert caught.value.problems == [
        (
            "RAPIDATA_maxWorkers: Input should be a valid integer, "
            "unable to parse string as an integer"
        ),
        "RAPIDATA_batchSize: Input should be greater than or equal to 100",
    ]


def test_compression():
    assert CompressionConfig(enabled=True, quality=70, max_dimension=1024).quality == 70
    with pytest.raises(errors.ValidationError) as caught:
        CompressionConfig(quality=0, max_dimension=0)
    assert len(caught.value.problems) == 2


def test_the_example_of_the_documents(config, monkeypatch, caplog):
    # With a configuration of its own: the example changes that of the process.
    monkeypatch.setattr("rapidata_core.config.rapidata_config", config)
    text = (Path(__file__).resolve().parents[2] / "docs/client.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "example", "exec"), {})
    assert caplog.messages == ["this is shown"]
    assert config.upload.compression == CompressionConfig(quality=70, max_dimension=1024)


def messages_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_changes_of_logging_apply_at_once(config, tmp_path):
    file = tmp_path / "log.txt"
    config.logging.log_file = str(file)
    rapidata_core.logger.info("not shown")
    config.logging.level = "info"
    config.logging.format = "%(levelname)s %(message)s"
    rapidata_core.logger.info("shown")
    config.logging.log_file = None
    rapidata_core.logger.info("elsewhere")
    assert messages_of(file) == ["INFO shown"]


def test_only_our_logger_is_touched(config, capfd, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    config.logging.level = "DEBUG"
    rapidata_core.logger.debug("ours")
    logging.getLogger("somebody.else").debug("theirs")
    assert root.handlers == []
    assert root.level == level
    shown = capfd.readouterr().err
    assert "rapidata_core - DEBUG - ours" in shown
    assert "theirs" not in shown


def test_messages_that_the_program_shows_itself_are_not_shown_twice(config, caplog, capfd):
    # pytest's caplog is a handler of the root logger, as a program's own would be.
    config.logging.level = "INFO"
    rapidata_core.logger.info("once")
    assert caplog.messages == ["once"]
    assert "once" not in capfd.readouterr().err


def test_nothing_is_set_up_unless_somebody_asks(config):
    before = list(rapidata_core.logger.handlers)
    config.check()
    config.logging.silent_mode = True
    assert rapidata_core.logger.handlers == before
    assert rapidata_core.logger.level == logging.NOTSET


@pytest.mark.parametrize(
    ("name", "value"),
    [("level", "LOUD"), ("format", "%(nonsense"), ("log_file", "/no/such/folder/log.txt")],
)
def test_wrong_logging_changes_nothing(config, name, value):
    config.logging.level = "INFO"
    before = config.logging.model_dump()
    with pytest.raises(errors.ValidationError):
        setattr(config.logging, name, value)
    assert config.logging.model_dump() == before
    assert rapidata_core.logger.level == logging.INFO


def test_silent_mode_silences_bars_and_addresses(monkeypatch, capfd):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    monkeypatch.setattr(rapidata_core.rapidata_config.logging, "silent_mode", True)
    show("https://x")
    draw_progress(JobProgress("Running", 50.0))
    assert capfd.readouterr().err == ""
    monkeypatch.undo()
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    show("https://x")
    assert capfd.readouterr().err == "https://x\n"


def test_without_credentials_the_error_names_all_ways():
    with pytest.raises(errors.AuthenticationError) as caught:
        resolve({})
    for way in ("RAPIDATA_CLIENT_ID", "RAPIDATA_CLIENT_SECRET", "credentials.json", "sandbox"):
        assert way in str(caught.value)
