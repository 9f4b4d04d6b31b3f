"""The columns of the two tables: names, types, and what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

# Changes with every change of a column's name, type or meaning.
SCHEMA_VERSION = 1

STRING, BOOL, INT, DOUBLE = "string", "bool", "int64", "double"
STRINGS, INTS = "list<string>", "list<int64>"
VOTES = (
    "list<struct<option: string, count: int64, ratio: double, user_score: double, "
    "user_score_ratio: double, confidence: double, score: double>>"
)
SCORES = "list<struct<dimension: string, score: double>>"
POINTS = "list<struct<x: double, y: double>>"
LINES = f"list<struct<size: double, points: {POINTS}>>"
WORDS = "list<struct<word: string, index: int64>>"

# What answers are, where they are not an option or a text.
_ANSWERS = {"locate": POINTS, "draw": LINES, "select_words": WORDS}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        type: Its type, in Arrow's notation.
        nullable: Whether values may be missing.
        meaning: What a value says, with its unit or range.
    """

    name: str
    type: str
    nullable: bool
    meaning: str


_DATAPOINT = (
    Column("job_id", STRING, True, "The job; missing where a file was read without saying whose"),
    Column(
        "audience_id",
        STRING,
        True,
        "Who was asked; missing where a file was read without saying whose it is",
    ),
    Column("datapoint", INT, False, "Position in the results file, from 0"),
    Column(
        "datapoint_id",
        STRING,
        True,
        "What was asked about what: equal for equal questions about equal content; only where the "
        "spec was given",
    ),
    Column("items", STRINGS, False, "Names of the assets, or the texts, in the order of the pair"),
    Column("context", STRING, True, "Text that was shown beside it"),
)
_LABELS = (
    Column(
        "label",
        STRING,
        True,
        "The answer with the most votes, in a ranking the first item; missing on a tie, without "
        "votes, and for answers that are not chosen among options",
    ),
    Column("label_index", INT, True, "Its place among `items`, from 0; comparisons and rankings"),
    Column("weighted_label", STRING, True, "The answer with the highest sum of user scores"),
    Column("weighted_label_index", INT, True, "Its place among `items`, from 0"),
    Column("responses", INT, False, "Human answers"),
    Column(
        "votes",
        VOTES,
        False,
        "Per option, in the order of the file: votes, their share (0..1), the sum of the user "
        "scores, its share (0..1), the platform's confidence (0..1, early stopping only), and the "
        "score of an item in a ranking",
    ),
    Column("agreement", DOUBLE, True, "Share of the votes for the most frequent answer, 0..1"),
    Column("margin", DOUBLE, True, "Share of the most frequent answer minus the next one's, 0..1"),
    Column("entropy", DOUBLE, True, "Shannon entropy of the shares, in bits; 0 if all agree"),
    Column("confidence", DOUBLE, True, "The platform's in its likeliest option, 0..1"),
    Column(
        "is_tie",
        BOOL,
        False,
        "Whether several answers have the most votes; in a ranking, the highest score",
    ),
    Column(
        "is_incomplete",
        BOOL,
        False,
        "Whether answers are missing: none came, fewer than the spec asks for, or the job was not "
        "done",
    ),
    Column("truth", STRING, True, "The right answer, from the private metadata `truth`"),
    Column("private_metadata", STRING, True, "A JSON object of texts"),
)
_RESPONSE = (
    Column("labeler", STRING, True, "Who answered, as a pseudonym; only with a key"),
    Column("user_score", DOUBLE, True, "How far the platform trusts the person, 0..1"),
    Column("user_scores", SCORES, True, "The same in further dimensions, where there are any"),
    Column("country", STRING, True, "ISO 3166 code of two letters"),
    Column("language", STRING, True, "ISO 639 code of two letters"),
    Column("private_metadata", STRING, True, "The datapoint's: a JSON object of texts"),
)
_DEMOGRAPHICS = (
    Column("age", STRING, True, "Age group, as `18-29`"),
    Column("gender", STRING, True, "As the person says"),
    Column("occupation", STRING, True, "As the person says"),
)
DEMOGRAPHICS = tuple(column.name for column in _DEMOGRAPHICS)


def labels_schema() -> tuple[Column, ...]:
    """The columns of the labels, which are the same for all job types."""
    return _DATAPOINT + _LABELS


def responses_schema(job_type: str, *, demographics: bool = False) -> tuple[Column, ...]:
    """The columns of the responses.

    Args:
        job_type: ``compare``, ``locate`` …: ``answer`` has its type. Empty if unknown: then
            answers are texts, or JSON.
        demographics: Whether to have age, gender and occupation.
    """
    answer = _ANSWERS.get(job_type, STRING)
    return (
        *_DATAPOINT,
        Column("response", INT, False, "Position among the datapoint's answers, from 0"),
        Column("answer", answer, True, "The option or text; points, lines or words"),
        Column("answer_index", INT, True, "Its place among `items`; comparisons and rankings"),
        Column("compared", INTS, True, "The places of the two items that were shown; rankings"),
        *_RESPONSE,
        *(_DEMOGRAPHICS if demographics else ()),
    )


def arrow_schema(columns: tuple[Column, ...]) -> pyarrow.Schema:
    """The columns as an Arrow schema."""
    import pyarrow

    points = pyarrow.list_(_struct(x=pyarrow.float64(), y=pyarrow.float64()))
    types: dict[str, pyarrow.DataType] = {
        STRING: pyarrow.string(),
        BOOL: pyarrow.bool_(),
        INT: pyarrow.int64(),
        DOUBLE: pyarrow.float64(),
        STRINGS: pyarrow.list_(pyarrow.string()),
        INTS: pyarrow.list_(pyarrow.int64()),
        VOTES: pyarrow.list_(
            _struct(
                option=pyarrow.string(),
                count=pyarrow.int64(),
                ratio=pyarrow.float64(),
                user_score=pyarrow.float64(),
                user_score_ratio=pyarrow.float64(),
                confidence=pyarrow.float64(),
                score=pyarrow.float64(),
            )
        ),
        SCORES: pyarrow.list_(_struct(dimension=pyarrow.string(), score=pyarrow.float64())),
        POINTS: points,
        LINES: pyarrow.list_(_struct(size=pyarrow.float64(), points=points)),
        WORDS: pyarrow.list_(_struct(word=pyarrow.string(), index=pyarrow.int64())),
    }
    return pyarrow.schema(
        [pyarrow.field(column.name, types[column.type], column.nullable) for column in columns],
        metadata={"rapidata_schema_version": str(SCHEMA_VERSION)},
    )


def _struct(**fields: pyarrow.DataType) -> pyarrow.StructType:
    import pyarrow

    return pyarrow.struct([pyarrow.field(name, kind) for name, kind in fields.items()])
