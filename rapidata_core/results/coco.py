"""Points and lines as a COCO dataset: images, and what people marked in them.

The format is the one of the COCO data sets (T.-Y. Lin et al., "Microsoft COCO: Common Objects in
Context", 2014), as ``pycocotools`` reads it: lengths in pixels from the top left corner, boxes as
x, y, width and height, masks run-length encoded column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, cast

from rapidata_core.errors import blank, outside, refuse, some
from rapidata_core.results.frames import Key, keys, records, table_problems
from rapidata_core.results.quality.geometry import locate_clusters
from rapidata_core.results.quality.painting import painted

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

Row = dict[str, Any]
Size = tuple[int, int]

_COLUMNS = ("job_id", "datapoint", "datapoint_id", "items", "response", "answer", "user_score")
_CATEGORY = 1


def coco_dataset(
    responses: pandas.DataFrame,
    *,
    sizes: Mapping[str, Size],
    category: str,
    radius: float = 2.0,
    consensus: float | None = None,
) -> Row:
    """The answers of a locate or a draw job as a COCO dataset, a dictionary to be written as JSON.

    An image is a datapoint that was answered; it also has its ``datapoint`` and ``datapoint_id``.
    Ids are numbers from 1 in the order of the table, so equal tables give equal datasets.

    Locate: every tap is an annotation with a keypoint and a box around it. Draw: every answer is an
    annotation with a mask, of all that its lines cover: the pixels whose middle they cover, see
    :func:`rapidata_core.results.quality.painting.painted`. Both have the ``response`` and the
    ``user_score`` of the person. Where nothing is marked there is no annotation.

    With ``consensus``, annotations say what people agree on: keypoints and boxes are those of
    clusters of taps (:func:`rapidata_core.results.quality.geometry.locate_clusters`), and an image
    has one mask at most. Instead of a person they have the number of ``responses`` that marked the
    place.

    Args:
        responses: The table of responses.
        sizes: Width and height in pixels of each image by its name in ``items``, since the platform
            tells where something is in percent. Images of one name must have one size.
        category: What was asked for, such as ``cat``.
        radius: How far the box of a tap reaches to each side, and how far taps of one cluster may
            be apart: in percent of the image's width and height.
        consensus: The share of a datapoint's answers, above 0 and up to 1, that must have a tap in
            the cluster, or cover the pixel. None keeps the answers apart. Taps need SciPy for it.

    Raises:
        ValidationError: An argument is wrong, an image has no size, the answers are neither points
            nor lines, or SciPy is not installed.
    """
    images = _images(responses, sizes, category, radius, consensus)
    if consensus is None:
        marks = (mark for image in images.values() for mark in image.marks(radius))
    elif any(image.has_points for image in images.values()):
        marks = _clusters(responses, images, radius, consensus)
    else:
        marks = (mark for image in images.values() for mark in image.consensus(consensus))
    annotations = [
        {"id": number, "category_id": _CATEGORY, "iscrowd": 0} | mark
        for number, mark in enumerate(marks, 1)
    ]
    named: Row = {"id": _CATEGORY, "name": category, "supercategory": ""}
    return {
        "info": {"description": category},
        "images": [image.entry() for image in images.values()],
        "annotations": annotations,
        "categories": [named | {"keypoints": ["point"], "skeleton": []}],
    }


Images = dict[Key, "_Image"]


@dataclass
class _Image:
    """A datapoint with its answers.

    Attributes:
        number: Its id, from 1.
        first: The row of its first answer.
        size: Width and height in pixels.
        answers: Its rows of the table.
    """

    number: int
    first: Row
    size: Size
    answers: list[Row] = field(default_factory=list[Row])

    def entry(self) -> Row:
        return {
            "id": self.number,
            "file_name": _name(self.first),
            "width": self.size[0],
            "height": self.size[1],
            "datapoint": self.first["datapoint"],
            "datapoint_id": self.first["datapoint_id"],
        }

    @property
    def has_points(self) -> bool:
        """Whether people tapped it."""
        return any("x" in mark for row in self.answers for mark in _marks(row))

    def marks(self, radius: float) -> Iterator[Row]:
        """What each person marked, as annotations without an id."""
        for row in self.answers:
            points = [mark for mark in _marks(row) if "x" in mark]
            lines = [mark for mark in _marks(row) if "points" in mark]
            yield from (self.tap(point, radius) | _who(row) for point in points)
            if lines and (mask := painted(lines, *self.size)).any():
                yield self._covered(mask) | _who(row)

    def tap(self, point: Row, radius: float) -> Row:
        """A keypoint and the box around it, both in percent."""
        (width, height), (x, y) = self.size, (point["x"], point["y"])
        left, right = (min(100.0, max(0.0, x + way)) / 100 * width for way in (-radius, radius))
        top, bottom = (min(100.0, max(0.0, y + way)) / 100 * height for way in (-radius, radius))
        return {
            "image_id": self.number,
            "keypoints": [x / 100 * width, y / 100 * height, 2],  # 2 means visible
            "num_keypoints": 1,
            "bbox": [left, top, right - left, bottom - top],
            "area": (right - left) * (bottom - top),
            "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
        }

    def consensus(self, share: float) -> Iterator[Row]:
        """What this share of the answers covers."""
        import numpy

        covered = numpy.zeros(self.size[::-1], dtype=numpy.int32)
        for row in self.answers:
            covered += painted(_marks(row), *self.size)
        # Floating point makes 0.56 * 25 a little more than 14.
        mask = covered >= share * len(self.answers) - 1e-9
        if mask.any():
            people = sum(1 for row in self.answers if _marks(row))
            yield self._covered(mask) | {"responses": people}

    def _covered(self, mask: NDArray[Any]) -> Row:
        """A mask in COCO's words."""
        import numpy

        down, across = numpy.flatnonzero(mask.any(axis=1)), numpy.flatnonzero(mask.any(axis=0))
        left, top = int(across[0]), int(down[0])
        return {
            "image_id": self.number,
            "bbox": [left, top, int(across[-1]) - left + 1, int(down[-1]) - top + 1],
            "area": int(mask.sum()),
            "segmentation": {"size": list(mask.shape), "counts": _runs(mask)},
        }


def _clusters(
    responses: pandas.DataFrame, images: Images, radius: float, share: float
) -> Iterator[Row]:
    """The places that this share of the answers points at."""
    clusters = locate_clusters(responses, radius)
    for key, row in zip(keys(clusters), clusters.to_dict("records"), strict=True):
        if row["share"] >= share - 1e-9:
            tap = images[key].tap(cast("Row", row), radius)
            yield tap | {"responses": row["responses"]}


def _runs(mask: NDArray[Any]) -> list[int]:
    """Lengths of the runs of pixels outside, inside, outside …, column by column."""
    import numpy

    flat = mask.ravel(order="F")
    ends = numpy.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs: list[int] = numpy.diff(ends, prepend=0, append=flat.size).tolist()
    return [0, *runs] if flat[0] else runs


def _images(
    responses: pandas.DataFrame,
    sizes: Mapping[str, Size],
    category: str,
    radius: float,
    consensus: float | None,
) -> Images:
    """The datapoints of the table, after everything about them was checked."""
    problems = table_problems("responses", responses, _COLUMNS) + blank("category", category)
    problems += outside("radius", radius, 0, 100, without=[0])
    if consensus is not None:
        problems += outside("consensus", consensus, 0, 1, without=[0])
    refuse(problems)
    rows = records(responses, _COLUMNS)
    refuse(_size_problems(rows, sizes) + _answer_problems(rows))
    images: Images = {}
    for key, row in zip(keys(responses), rows, strict=True):
        width, height = sizes[_name(row)]
        image = _Image(len(images) + 1, row, (int(width), int(height)))
        image = images.setdefault(key, image)
        image.answers.append(row)
    return images


def _size_problems(rows: Sequence[Row], sizes: Mapping[str, Size]) -> list[str]:
    names = dict.fromkeys(_name(row) for row in rows)
    missing = [name for name in names if name not in sizes]
    wrong = [name for name in names if name in sizes and not _is_size(sizes[name])]
    found = {
        "without width and height": missing,
        "whose width and height are no whole numbers": wrong,
    }
    return [
        f"sizes: there are images ({some(names)}) {what}" for what, names in found.items() if names
    ]


def _is_size(size: object) -> bool:
    """Whether something is a width and a height in pixels; numbers of NumPy are welcome."""
    try:
        width, height = cast("tuple[object, object]", size)
    except (TypeError, ValueError):
        return False
    return all(isinstance(side, Integral) and int(side) > 0 for side in (width, height))


def _answer_problems(rows: Sequence[Row]) -> list[str]:
    for mark in (mark for row in rows for mark in _marks(row)):
        if not isinstance(mark, dict) or not {"x", "points"} & set(cast("Row", mark)):
            return [f"responses: must be those of a locate or a draw job; {mark!r} marks nothing"]
    return []


def _marks(row: Row) -> list[Any]:
    """A person's taps or lines; nothing where the answer is missing."""
    return [] if row["answer"] is None else list(row["answer"])


def _name(row: Row) -> str:
    return next(iter(row["items"]), "")


def _who(row: Row) -> Row:
    return {"response": row["response"], "user_score": row["user_score"]}
