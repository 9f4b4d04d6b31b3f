"""Paging, sorting and filtering: against the real server, and against a model of the grammar."""

from __future__ import annotations

import contextlib
import operator
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import column, create_engine, select, text

from rapidata_core.sandbox.listing import Field, where
from rapidata_core.sandbox.problems import Problem


@pytest.fixture
def jobs(platform):
    """Five jobs of one definition, a second apart, the first two complete."""
    definition_id = platform.definition(platform.pairs(1))
    ids = []
    for name in ("alpha [rk:1]", "beta [rk:2]", "gamma, delta", "beta", "alpha 100%"):
        ids.append(platform.job(definition_id, name))
        platform.sandbox.advance(10 if len(ids) == 2 else 1)
    return ids


def found(platform, *query):
    answer = platform.ok("GET", "/jobs", params=list(query))
    return [item["name"] for item in answer["items"]]


def test_filters(platform, jobs):
    assert found(platform, ("name[eq]", "beta")) == ["beta"]
    assert found(platform, ("name[ends_with]", "[rk:2]")) == ["beta [rk:2]"]
    assert found(platform, ("name[starts_with]", "alpha")) == ["alpha [rk:1]", "alpha 100%"]
    assert found(platform, ("name[contains]", "%")) == ["alpha 100%"]
    assert found(platform, ("name[in]", "gamma, delta"), ("name[in]", "beta")) == [
        "gamma, delta",
        "beta",
    ]
    assert found(platform, ("id[in]", jobs[4]), ("id[in]", jobs[0])) == [
        "alpha [rk:1]",
        "alpha 100%",
    ]
    assert found(platform, ("state[in]", "Completed")) == ["alpha [rk:1]", "beta [rk:2]"]
    assert found(platform, ("state[neq]", "Completed"), ("name[contains]", "beta")) == ["beta"]
    either = [("name[eq]", "beta"), ("name[eq]", "alpha 100%"), ("logic", "or")]
    assert found(platform, *either) == ["beta", "alpha 100%"]
    assert found(platform, ("audience_id[eq]", "global"), ("name[contains]", "")) == found(platform)
    assert found(platform, ("scope", "Owned"), ("name[eq]", "beta")) == ["beta"]
    assert found(platform, ("scope", "Shared")) == []


def test_dates(platform, jobs):
    middle = platform.ok("GET", f"/job/{jobs[2]}")["createdAt"]
    assert middle.endswith("+00:00")
    assert len(found(platform, ("created_at[gte]", middle))) == 3
    assert len(found(platform, ("created_at[gt]", middle))) == 2
    assert found(platform, ("created_at[eq]", middle)) == ["gamma, delta"]
    assert len(found(platform, ("created_at[lt]", middle.replace("+00:00", "Z")))) == 2


def test_sorting_and_paging(platform, jobs):
    assert found(platform, ("sort", "-created_at"))[0] == "alpha 100%"
    assert found(platform, ("sort", "state"), ("sort", "-name"))[:2] == [
        "beta [rk:2]",
        "alpha [rk:1]",
    ]
    by_progress = found(platform, ("sort", "-progress"))
    assert by_progress[:2] == ["alpha [rk:1]", "beta [rk:2]"]
    pages = [
        platform.ok("GET", f"/jobs?page={page}&page_size=2&sort=created_at")
        for page in (1, 2, 3, 4)
    ]
    assert [len(page["items"]) for page in pages] == [2, 2, 1, 0]
    for number, page in enumerate(pages, 1):
        facts = (page["page"], page["pageSize"], page["total"], page["totalPages"])
        assert facts == (number, 2, 5, 3)
    listed = [item["jobId"] for page in pages for item in page["items"]]
    assert listed == jobs


@pytest.mark.parametrize(
    "query",
    [
        "nonsense[eq]=1",
        "name[like]=a",
        "name=a",
        "created_at[gte]=yesterday",
        "created_at[contains]=2026",
        "sort=owner",
        "page=0",
        "page=x",
        "page_size=101",
        "logic=xor",
        "scope=Mine",
    ],
)
def test_malformed_queries(platform, query):
    platform.problem("GET", f"/jobs?{query}", 400)


def test_brackets_may_be_encoded(platform, jobs):
    assert platform.ok("GET", "/jobs?name%5Beq%5D=beta")["total"] == 1


# --- the grammar against a model ------------------------------------------------------------------

WORDS = st.text(alphabet=string.ascii_letters[:3] + "[%_]é", max_size=4)
OPERATORS = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "contains": lambda value, given: given in value,
    "not_contains": lambda value, given: given not in value,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
SEARCHES = ("contains", "not_contains", "starts_with", "ends_with")
FILTERS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([*OPERATORS, "in"]), WORDS), max_size=4
)


def model(row, filters, logic):
    """What the grammar means, said in Python."""
    verdicts = []
    for name in ("a", "b"):
        chosen = [word for field, op, word in filters if field == name and op == "in"]
        if chosen:
            verdicts.append(row[name] in chosen)
    for name, op, word in filters:
        # An empty text is nothing to search for, hence no filter.
        if op != "in" and (word or op not in SEARCHES):
            verdicts.append(OPERATORS[op](row[name], word))
    if not verdicts:
        return True
    return all(verdicts) if logic == "and" else any(verdicts)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(WORDS, WORDS), max_size=6),
    filters=FILTERS,
    logic=st.sampled_from(["and", "or"]),
)
def test_filters_mean_what_the_model_says(rows, filters, logic):
    fields = {"a": Field(column("a")), "b": Field(column("b"))}
    query = [(f"{name}[{op}]", word) for name, op, word in filters] + [("logic", logic)]
    with ENGINE.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS things (n INTEGER, a TEXT, b TEXT)"))
        connection.execute(text("DELETE FROM things"))
        for number, (a, b) in enumerate(rows):
            connection.execute(
                text("INSERT INTO things VALUES (:n, :a, :b)"), {"n": number, "a": a, "b": b}
            )
        condition = where(fields, query)
        wanted = select(column("n")).select_from(text("things"))
        wanted = wanted if condition is None else wanted.where(condition)
        selected = set(connection.execute(wanted).scalars())
    expected = {n for n, (a, b) in enumerate(rows) if model({"a": a, "b": b}, filters, logic)}
    assert selected == expected


ENGINE = create_engine("sqlite://")


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=4))
def test_any_query_is_a_condition_or_a_problem(query):
    # Anything but a problem fails the test.
    with contextlib.suppress(Problem):
        where({"name": Field(column("name")), "at": Field(column("at"), "time")}, query)
