"""Orders, which the documents had before definitions and jobs."""

import warnings

import pytest

from rapidata_core import errors

IMAGES = ["https://assets.rapidata.ai/cat1.jpg", "https://assets.rapidata.ai/dog1.jpg"]
pytestmark = pytest.mark.filterwarnings("ignore:client.order:DeprecationWarning")


async def order_of(client, **more):
    return await client.order.create(
        name="Image Classification Order",
        instruction="What animal is in this image?",
        answer_options=["Cat", "Dog", "Bird"],
        datapoints=IMAGES,
        **more,
    )


async def test_an_order_is_run_and_answered(client, rapidata_sandbox, capfd):
    order = await order_of(client, responses_per_datapoint=5)
    assert order.name == "Image Classification Order"
    assert await order.get_status() == "Created"
    assert (await order.estimated_cost).required_responses == 10
    with pytest.raises(errors.ValidationError, match=r"call run\(\) first"):
        await order.get_results()
    rapidata_sandbox.assert_paid_jobs(0)
    assert await order.run() is order
    rapidata_sandbox.assert_paid_jobs(1)
    rapidata_sandbox.advance(3600)
    await order.display_progress_bar(refresh_rate=0.01)
    assert "100.0 % Completed" in capfd.readouterr().err
    assert await order.get_status() == "Completed"
    assert list((await order.get_results()).labels()["responses"]) == [5, 5]


async def test_an_order_is_paid_once(client, rapidata_sandbox):
    order = await order_of(client)
    await order.run()
    await order.run()
    elsewhere = await client.order.get_order_by_id(order.id)
    await elsewhere.run()
    rapidata_sandbox.assert_paid_jobs(1)
    # A job of the same definition is something else.
    audience = await client.audience.get_audience_by_id("global")
    await audience.assign_job(order.job_definition)
    rapidata_sandbox.assert_paid_jobs(2)
    rapidata_sandbox.advance(3600)
    assert await elsewhere.get_status() == "Completed"


async def test_an_order_whose_answer_is_lost_is_paid_once(client, rapidata_sandbox):
    order = await order_of(client)
    rapidata_sandbox.faults(
        [{"method": "POST", "path": "/job$", "phase": "after_commit", "action": "drop"}]
    )
    await order.run()
    rapidata_sandbox.assert_paid_jobs(1)


async def test_finding_orders_again(client, rapidata_sandbox):
    order = await order_of(client)
    assert [found.id for found in await client.order.find_orders("Classification")] == [order.id]
    assert await client.order.find_orders("nothing like it") == []
    await order.run()
    [job] = await client.job.find_jobs()
    by_job = await client.order.get_order_by_id(job.id)
    assert (by_job.id, by_job.name) == (order.id, order.name)
    rapidata_sandbox.advance(3600)
    assert await by_job.get_results() == await order.get_results()
    with pytest.raises(errors.NotFoundError):
        await client.order.get_order_by_id("nope")


async def test_every_type_has_its_order(client):
    common = {"name": "Typed", "instruction": "Which?", "datapoints": IMAGES}
    pairs = {**common, "datapoints": [IMAGES]}
    orders = [
        await client.order.create_classification_order(**common, answer_options=["a", "b"]),
        await client.order.create_compare_order(**pairs),
        await client.order.create(**pairs),
        await client.order.create_locate_order(**common),
        await client.order.create_draw_order(**common),
        await client.order.create_select_words_order(**common, sentences=["a b", "c d"]),
        await client.order.create_free_text_order(**common),
        await client.order.create_ranking_order(**pairs, comparison_budget_per_ranking=4),
    ]
    assert len({order.id for order in orders}) == len(orders)


async def test_orders_say_what_replaces_them(client):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await order_of(client)
    [warning] = [each for each in caught if each.category is DeprecationWarning]
    assert "create_classification_job_definition" in str(warning.message)
    assert warning.filename == __file__


async def test_pages_of_an_order(client, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: bool(opened.append(url)) or True)
    order = await order_of(client)
    order.preview().view()
    await order.run()
    order.view()
    assert opened[:2] == [order.job_definition.url] * 2
    assert "/audiences/global/job/" in opened[2]


async def test_what_could_be_uploaded_is_an_order_all_the_same(client, rapidata_sandbox):
    with pytest.raises(errors.FailedUploadException) as caught:
        await client.order.create(
            name="Partial",
            instruction="What animal is in this image?",
            answer_options=["Cat", "Dog"],
            datapoints=[*IMAGES, "https://broken.invalid/missing.jpg"],
        )
    assert len(caught.value.failed_uploads) == 1
    order = caught.value.order
    await order.run()
    rapidata_sandbox.advance(3600)
    assert len((await order.get_results())["results"]) == 2
