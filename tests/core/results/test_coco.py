"""Points and lines as a COCO dataset."""

import json
import math

import numpy
import pandas
import pytest
from pycocotools.coco import COCO

from rapidata_core import RapidataClient, errors
from rapidata_core.results.coco import coco_dataset
from rapidata_core.results.quality.painting import painted

SIZES = {"1.jpg": (40, 30), "2.jpg": (20, 50)}


def response(answer, datapoint=0, number=0, **changes):
    return {
        "job_id": None,
        "datapoint": datapoint,
        "datapoint_id": None,
        "items": [f"{datapoint + 1}.jpg"],
        "response": number,
        "answer": answer,
        "user_score": 0.5,
        **changes,
    }


def table(*rows):
    frame = pandas.DataFrame(list(rows), columns=list(response([])))
    return frame.astype({"job_id": "string", "datapoint_id": "string"})


def tap(x, y):
    return {"x": float(x), "y": float(y)}


def line(*points, size=10.0):
    return {"size": size, "points": [tap(x, y) for x, y in points]}


def read(document, folder):
    """As the format's own library reads it."""
    path = folder / "annotations.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return COCO(str(path))


def test_taps_are_keypoints_with_boxes(tmp_path):
    responses = table(
        response([tap(50, 50), tap(0, 100)], number=0, user_score=0.75),
        response([], number=1),
        response([tap(25, 10)], datapoint=1, datapoint_id="id_1", user_score=None),
    )
    document = coco_dataset(responses, sizes=SIZES, category="cat", radius=5)
    assert document["images"] == [
        {
            "id": 1,
            "file_name": "1.jpg",
            "width": 40,
            "height": 30,
            "datapoint": 0,
            "datapoint_id": None,
        },
        {
            "id": 2,
            "file_name": "2.jpg",
            "width": 20,
            "height": 50,
            "datapoint": 1,
            "datapoint_id": "id_1",
        },
    ]
    middle, _, other = document["annotations"]
    assert [one["id"] for one in document["annotations"]] == [1, 2, 3]
    assert (middle["image_id"], middle["category_id"], middle["iscrowd"]) == (1, 1, 0)
    assert (middle["keypoints"], middle["num_keypoints"]) == ([20.0, 15.0, 2], 1)
    assert middle["bbox"] == pytest.approx([18.0, 13.5, 4.0, 3.0])
    assert middle["area"] == pytest.approx(12.0)
    assert (middle["response"], middle["user_score"]) == (0, 0.75)
    assert (other["image_id"], other["user_score"]) == (2, None)
    loaded = read(document, tmp_path)
    assert loaded.getAnnIds(imgIds=1) == [1, 2]
    [category] = loaded.loadCats(loaded.getCatIds())
    assert (category["name"], category["keypoints"]) == ("cat", ["point"])
    mask = loaded.annToMask(loaded.loadAnns(1)[0])
    assert mask.shape == (30, 40)
    assert mask[13:17, 18:22].any()
    assert mask.sum() <= 5 * 4


def test_a_box_ends_where_the_image_ends():
    responses = table(response([tap(0, 100), tap(100, 0)]))
    document = coco_dataset(responses, sizes=SIZES, category="cat", radius=5)
    lower_left, upper_right = document["annotations"]
    assert lower_left["bbox"] == pytest.approx([0.0, 28.5, 2.0, 1.5])
    assert upper_right["bbox"] == pytest.approx([38.0, 0.0, 2.0, 1.5])


@pytest.mark.parametrize("size", [10.0, 0.0, None])
def test_lines_are_masks(size, tmp_path):
    lines = [line((20, 20), (80, 60), size=size), line((99, 99), (140, 120), size=30)]
    document = coco_dataset(table(response(lines)), sizes=SIZES, category="cat")
    [drawn] = document["annotations"]
    expected = painted(lines, 40, 30)
    loaded = read(document, tmp_path)
    assert numpy.array_equal(loaded.annToMask(loaded.loadAnns(1)[0]).astype(bool), expected)
    rows, columns = numpy.nonzero(expected)
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert drawn["bbox"] == [left, top, right - left, bottom - top]
    assert drawn["area"] == expected.sum()
    assert drawn["segmentation"]["size"] == [30, 40]
    assert (drawn["response"], drawn["user_score"]) == (0, 0.5)
    assert "keypoints" not in drawn


def test_a_mask_that_begins_in_the_first_pixel(tmp_path):
    document = coco_dataset(table(response([line((0, 0), size=8.0)])), sizes=SIZES, category="cat")
    [drawn] = document["annotations"]
    assert drawn["segmentation"]["counts"][0] == 0
    assert sum(drawn["segmentation"]["counts"]) == 40 * 30
    assert drawn["bbox"][:2] == [0, 0]
    loaded = read(document, tmp_path)
    assert loaded.annToMask(loaded.loadAnns(1)[0])[0, 0] == 1


def test_lines_outside_of_the_image_are_no_annotations():
    document = coco_dataset(
        table(response([line((150, 150), (160, 150))])), sizes=SIZES, category="cat"
    )
    assert (len(document["images"]), document["annotations"]) == (1, [])


@pytest.mark.parametrize(
    ("consensus", "needed"), [(0.01, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (1.0, 4)]
)
def test_what_a_share_of_the_people_drew(consensus, needed, tmp_path):
    ends = (20, 40, 60, 80)
    answers = [[line((10, 50), (end, 50), size=9.0)] for end in ends]
    responses = table(*(response(lines, number=n) for n, lines in enumerate(answers)))
    document = coco_dataset(responses, sizes=SIZES, category="cat", consensus=consensus)
    covered = sum(painted(lines, 40, 30).astype(int) for lines in answers)
    loaded = read(document, tmp_path)
    [drawn] = loaded.loadAnns(loaded.getAnnIds())
    assert numpy.array_equal(loaded.annToMask(drawn), covered >= needed)
    assert drawn["responses"] == 4
    assert "response" not in drawn


def test_an_answer_that_marks_nothing_counts_in_the_consensus():
    rows = [response([line((50, 50))]), response([], number=1), response(None, number=2)]
    arguments = {"sizes": SIZES, "category": "cat"}
    assert coco_dataset(table(*rows), consensus=0.34, **arguments)["annotations"] == []
    [drawn] = coco_dataset(table(*rows), consensus=0.33, **arguments)["annotations"]
    assert drawn["responses"] == 1


def test_fourteen_of_25_are_a_share_of_056():
    assert 0.56 * 25 > 14  # in floating point
    rows = [response([line((50, 50))] if n < 14 else [], number=n) for n in range(25)]
    document = coco_dataset(table(*rows), sizes=SIZES, category="cat", consensus=0.56)
    assert len(document["annotations"]) == 1


def test_places_that_most_people_tapped(tmp_path):
    pytest.importorskip("scipy")
    answers = [[tap(50, 50)], [tap(52, 50), tap(10, 10)], [tap(51, 53)], []]
    responses = table(
        *(response(points, number=n) for n, points in enumerate(answers)),
        response([tap(30, 30)], datapoint=1),
    )
    document = coco_dataset(responses, sizes=SIZES, category="cat", consensus=0.5, radius=5)
    most, only = document["annotations"]
    assert most["image_id"] == 1
    assert most["keypoints"] == pytest.approx([51 / 100 * 40, 51 / 100 * 30, 2])
    assert most["bbox"] == pytest.approx([18.4, 13.8, 4.0, 3.0])
    assert (most["responses"], only["responses"], only["image_id"]) == (3, 1, 2)
    assert "response" not in most
    assert read(document, tmp_path).getAnnIds() == [1, 2]
    arguments = {"sizes": SIZES, "category": "cat", "radius": 5}
    assert len(coco_dataset(responses, consensus=0.75, **arguments)["annotations"]) == 2
    assert len(coco_dataset(responses, consensus=0.76, **arguments)["annotations"]) == 1


def test_datapoints_of_two_jobs_are_two_images():
    rows = [
        response([tap(1, 1)], job_id="job_1"),
        response([tap(2, 2)], job_id="job_2"),
        response([tap(3, 3)], job_id="job_1", number=1),
    ]
    for consensus in (None, 0.5):
        document = coco_dataset(table(*rows), sizes=SIZES, category="cat", consensus=consensus)
        assert [image["id"] for image in document["images"]] == [1, 2]
        found = [one["keypoints"][0] for one in document["annotations"] if one["image_id"] == 2]
        assert found == [2 / 100 * 40]


def test_equal_tables_give_equal_documents(tmp_path):
    rows = [response([line((n, 10), (90, n))], number=n) for n in range(5)]
    first = json.dumps(coco_dataset(table(*rows), sizes=SIZES, category="cat"))
    assert json.dumps(coco_dataset(table(*rows), sizes=SIZES, category="cat")) == first
    table(*rows).to_parquet(tmp_path / "responses.parquet")
    stored = pandas.read_parquet(tmp_path / "responses.parquet")
    assert json.dumps(coco_dataset(stored, sizes=SIZES, category="cat")) == first


def test_sizes_may_be_lists_and_numbers_of_numpy():
    rows = table(response([tap(50, 50)]))
    expected = coco_dataset(rows, sizes=SIZES, category="cat")
    for size in ([40, 30], numpy.array([40, 30])):
        document = coco_dataset(rows, sizes={"1.jpg": size}, category="cat")
        assert json.dumps(document) == json.dumps(expected)


def test_images_without_a_size_are_named():
    rows = [response([], datapoint=number) for number in range(13)]
    with pytest.raises(errors.ValidationError) as caught:
        coco_dataset(table(*rows), sizes={"1.jpg": (1, 1)}, category="cat")
    [problem] = caught.value.problems
    assert "'2.jpg', '3.jpg'" in problem
    assert "'11.jpg', and 2 more) without width and height" in problem


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (1.5, 2), (5,), 5, None, "ab"])
def test_sizes_that_are_none(size):
    with pytest.raises(errors.ValidationError, match=r"\('1.jpg'\) whose width and height are no"):
        coco_dataset(table(response([])), sizes={"1.jpg": size}, category="cat")


def test_all_wrong_arguments_are_named_at_once():
    with pytest.raises(errors.ValidationError) as caught:
        coco_dataset(
            table().drop(columns="answer"), sizes={}, category=" ", radius=0, consensus=1.5
        )
    problems = [problem.split(":")[0] for problem in caught.value.problems]
    assert problems == ["responses", "category", "radius", "consensus"]


def test_what_is_no_table_of_responses():
    with pytest.raises(errors.ValidationError, match="responses: must be a pandas DataFrame"):
        coco_dataset([], sizes={}, category="cat")


@pytest.mark.parametrize("answer", ["a cat", [{"word": "cat", "index": 1}]])
def test_answers_that_mark_nothing_in_an_image(answer):
    with pytest.raises(errors.ValidationError, match="responses: must be those of a locate or a d"):
        coco_dataset(table(response(answer)), sizes=SIZES, category="cat")


def test_a_table_without_answers():
    document = coco_dataset(table(), sizes={}, category="cat", consensus=0.5)
    assert (document["images"], document["annotations"]) == ([], [])


@pytest.mark.parametrize("kind", ["locate", "draw"])
def test_answers_as_the_platform_delivers_them(kind, rapidata_sandbox, tmp_path):
    pictures = [f"https://assets.rapidata.ai/{name}.jpg" for name in ("cat", "dog", "cow")]
    with RapidataClient(environment=rapidata_sandbox.url) as client:
        create = getattr(client.job, f"create_{kind}_job_definition")
        definition = create(
            name="Animals", instruction="Where?", datapoints=pictures, responses_per_datapoint=4
        )
        job = client.audience.get_audience_by_id("global").assign_job(definition)
        rapidata_sandbox.advance(36_000)
        results = job.get_results()
    responses = results.responses()
    sizes = {name: (64, 48) for names in responses["items"] for name in names}
    document = coco_dataset(responses, sizes=sizes, category="animal")
    answers = [answer for entry in results["results"] for answer in entry["detailedResults"]]
    expected = sum(len(answer["coordinates"]) for answer in answers) if kind == "locate" else 12
    assert len(document["annotations"]) == expected
    loaded = read(document, tmp_path)
    assert len(loaded.imgs) == 3
    for annotation in loaded.anns.values():
        mask = loaded.annToMask(annotation)
        x, y, width, height = annotation["bbox"]
        assert mask.any()
        # Boxes of taps lie between pixels.
        assert not mask[:, : math.floor(x)].any()
        assert not mask[:, math.ceil(x + width) :].any()
        assert not mask[math.ceil(y + height) :].any()
    agreed = read(
        coco_dataset(responses, sizes=sizes, category="animal", radius=10, consensus=0.5), tmp_path
    )
    assert 1 <= len(agreed.anns) < expected
    assert all(annotation["responses"] >= 2 for annotation in agreed.anns.values())
