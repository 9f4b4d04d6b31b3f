"""Waiting until people have qualified for an audience."""

import pytest

from rapidata_core import RecruitingMetrics, errors
from rapidata_core.policy.audiences import is_ready

TEXTS = [["yes", "no"], ["good", "bad"], ["right", "wrong"]]


async def audience_with(client, examples):
    audience = await client.audience.create_audience("Careful", min_tasks=3)
    for pair in examples:
        await audience.add_compare_example("Which?", pair[0], pair, "text")
    return audience


async def test_waiting_for_people(client, rapidata_sandbox, hurry):
    audience = await audience_with(client, TEXTS)
    await audience.start_recruiting()
    with pytest.raises(errors.WaitTimeoutError, match="So far 0 qualified, and 0 are trying"):
        await audience.wait_until_ready(timeout=0)
    some = await audience.wait_until_ready(graduates=5)
    assert some.graduated >= 5
    more = await audience.wait_until_ready(poll_interval=1)
    # People go on qualifying.
    assert some.graduated <= more.graduated <= (await audience.wait_until_ready()).graduated


async def test_a_curated_audience_is_ready(client):
    curated = await client.audience.get_audience_by_id("aud_MU1GZYoESyO")
    assert (await curated.wait_until_ready(timeout=0)).graduated > 0


def test_an_audience_that_recruits_nobody_is_ready():
    assert is_ready("Ready", None, graduates=5)
    assert not is_ready("Created", None, graduates=1)
    assert not is_ready("Ready", RecruitingMetrics(4, 9, 0, 0, {}), graduates=5)


@pytest.mark.parametrize("count", [0, 2, 3])
async def test_nobody_waits_for_an_audience_without_hope(client, hurry, count):
    audience = await audience_with(client, TEXTS[:count])
    with pytest.raises(errors.AudienceNeedsAttentionError) as caught:
        await audience.wait_until_ready()
    assert caught.value.audience_id == audience.id
    assert f"It has {count} of at least 3 qualification examples" in str(caught.value)
    assert (f"add {3 - count} more" in str(caught.value)) == (count < 3)
    assert "start_recruiting" in str(caught.value)


async def test_recruiting_that_begins_after_the_first_look(client, rapidata_sandbox, monkeypatch):
    audience = await audience_with(client, TEXTS)

    async def begin(seconds):
        await audience.start_recruiting()
        rapidata_sandbox.advance(seconds + 60)

    monkeypatch.setattr("rapidata_core._async.waiting.async_sleep", begin)
    assert (await audience.wait_until_ready()).graduated >= 1


async def test_how_many_people(client):
    audience = await client.audience.create_audience("Careful")
    with pytest.raises(errors.ValidationError, match="graduates: must be a whole number"):
        await audience.wait_until_ready(graduates=0)
    await audience.delete()
    with pytest.raises(errors.NotFoundError):
        await audience.wait_until_ready()
