"""What to ask next: rows without a label, labels that need more answers, rows that teach a model.

Nothing here asks anybody: the functions choose rows, and you submit them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from rapidata_core.errors import ValidationError, outside, refuse, refuse_blank
from rapidata_core.jobs.spec import JobSpec
from rapidata_core.results.frames import check_table
from rapidata_core.results.quality.metrics import datapoint_agreement
from rapidata_core.results.rows import On, row_ids
from rapidata_core.results.schema import BOOL, DOUBLE, INT, STRING, labels_schema

if TYPE_CHECKING:
    import numpy
    import pandas

    from rapidata_core.results.quality.gate import QualityGate

Strategy = Literal["margin", "entropy"]

_ATTACHED = ("label", "responses", "agreement", "is_tie", "is_incomplete")
_HOW_TO_MAKE_IDS = "make the table with results.labels(spec), where spec is what was submitted"
_HOW_TO_GO_ON = "they may be about several datapoints; drop them to have these asked about again"
_HOW_TO_TELL_AUDIENCES = (
    "make the table from job.get_results() or ResultsFile(…, audience_id=…), fill the column, or "
    "leave the argument audience_id out: then labels of any audience count"
)


def unlabelled(
    frame: pandas.DataFrame,
    labelled: pandas.DataFrame | Iterable[pandas.DataFrame] | None,
    *,
    on: On,
    question: JobSpec,
    audience_id: str | None = None,
) -> pandas.DataFrame:
    """The rows that nobody was asked about yet; those that say the same only once.

    A row counts as labelled if the question was asked about equal content, however few people have
    answered: the others may be about to. To ask again where answers are missing, leave these labels
    out: ``labelled[~labelled["is_incomplete"]]``.

    Whoever was asked, a row is asked about once: labels of any audience count. With an
    ``audience_id``, rows that only others have labelled are new, and are paid again.

    Args:
        frame: All rows. Its index and types are kept.
        labelled: Labels that are there, with a ``datapoint_id``: a table, several, or none.
        on: Where the datapoints are; see :func:`rapidata_core.results.rows.spec_about`.
        question: What is asked; its own datapoints do not matter.
        audience_id: Whose labels count; None if anybody's do. Written as ``job.audience_id``.

    Raises:
        ValidationError: Labels do not say what they are about, or, with an ``audience_id``, who was
            asked; or the rows are no datapoints.
    """
    known = {
        identity
        for table in _tables(labelled, audience_id)
        for identity in _of_audience(table, audience_id)["datapoint_id"]
    }
    chosen: list[int] = []
    for position, identity in enumerate(row_ids(frame, on, question)):
        if identity not in known:
            known.add(identity)
            chosen.append(position)
    return frame.iloc[chosen]


def attach(
    frame: pandas.DataFrame,
    labels: pandas.DataFrame | Iterable[pandas.DataFrame] | None,
    *,
    on: On,
    question: JobSpec,
    audience_id: str | None = None,
    columns: Sequence[str] = _ATTACHED,
) -> pandas.DataFrame:
    """A table with the labels of its rows; rows without one have nulls.

    Args:
        frame: The rows. They are all kept, in their order, with their index.
        labels: As for :func:`unlabelled`. Of several labels of one datapoint, that with the most
            responses counts, whoever was asked, and of equal ones the last.
        on: Where the datapoints are; see :func:`rapidata_core.results.rows.spec_about`.
        question: What was asked.
        audience_id: Whose labels count; None if anybody's do. Written as ``job.audience_id``.
        columns: Which columns of the labels to add, beside ``datapoint_id``.

    Raises:
        ValidationError: A column is missing or there already; see also :func:`unlabelled`.
    """
    import pandas

    tables = _tables(labels, audience_id)
    columns = [name for name in columns if name != "datapoint_id"]
    for table in tables:
        check_table("labels", table, ["responses", *columns])
    if there := [name for name in ("datapoint_id", *columns) if name in frame.columns]:
        problems = [f"the frame has a column {name!r} already; rename it" for name in there]
        raise ValidationError("frame", problems)
    ids = row_ids(frame, on, question)
    new = frame.assign(datapoint_id=pandas.array(ids, dtype="string"))
    if not tables:
        return new.assign(**{name: _nulls(name, len(frame)) for name in columns})
    told = () if audience_id is None else ("audience_id",)
    needed = list(dict.fromkeys(("datapoint_id", "responses", *told, *columns)))
    every = pandas.concat([table[needed] for table in tables], ignore_index=True)
    every = _of_audience(every, audience_id).sort_values("responses", kind="stable")
    best = every.drop_duplicates("datapoint_id", keep="last").set_index("datapoint_id")
    return new.assign(**{name: _nullable(best[name]).reindex(ids).array for name in columns})


def top_up(
    labels: pandas.DataFrame, gate: QualityGate, responses: pandas.DataFrame | None = None
) -> pandas.DataFrame:
    """The labels that deserve more answers, with a column ``reason``.

    A datapoint does if it has fewer answers than ``min_responses``; if
    :func:`~rapidata_core.results.quality.metrics.datapoint_agreement` is below ``min_agreement``,
    or not known yet; or, where ``max_tie_rate`` is set, if its answers are a tie.

    Args:
        labels: The labels.
        gate: What labels should be like. Its other limits are about all labels together.
        responses: The responses, where answers are no votes for an option.

    Raises:
        ValidationError: A table is not what it should be, the gate sets none of these limits, or
            ``min_agreement`` where the agreement of people cannot be known.
    """
    if gate.min_responses is None and gate.min_agreement is None and gate.max_tie_rate is None:
        needed = "set min_responses, min_agreement or max_tie_rate; nothing else tells datapoints"
        raise ValidationError("gate", [needed])
    check_table("labels", labels, ["responses", "is_tie"])
    agreements = datapoint_agreement(labels, responses)
    if gate.min_agreement is not None and (agreements.isna() & (labels["responses"] > 1)).any():
        # They would be asked about again and again.
        needed = "min_agreement: is not known; give the responses, too, and leave out free texts"
        raise ValidationError("gate", [needed])
    rows = zip(labels["responses"], agreements, labels["is_tie"], strict=True)
    reasons = ["; ".join(_reasons(*row, gate)) for row in rows]
    chosen = [position for position, reason in enumerate(reasons) if reason]
    return labels.iloc[chosen].assign(reason=[reasons[position] for position in chosen])


def select(
    probabilities: pandas.DataFrame | numpy.ndarray,
    count: int,
    *,
    strategy: Strategy = "margin",
    random_share: float = 0.0,
    seed: int = 0,
) -> list[int]:
    """The rows whose labels teach a model most, by what it predicts now.

    Uncertainty sampling as in Settles, "Active Learning Literature Survey" (2009), section 3.1:
    ``margin`` takes the rows whose two likeliest classes are closest, ``entropy`` those with the
    highest Shannon entropy. What a model is wrongly sure of is found by the random share only.

    Args:
        probabilities: A row per candidate, a column per class; each row adds up to 1.
        count: How many rows to choose; all if there are fewer.
        strategy: ``margin`` or ``entropy``.
        random_share: Which part of ``count`` is drawn at random from the other rows, 0 to 1.
        seed: Decides about equal rows, whose order must not, and about the random ones.

    Returns:
        Positions for ``iloc``: first the most informative ones, then the random ones.

    Raises:
        ValidationError: An argument is wrong; it lists every problem.
    """
    import numpy

    try:
        table = numpy.asarray(probabilities, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValidationError("probabilities", [f"must be a table of numbers ({error})"]) from None
    refuse([*_choice_problems(count, strategy, random_share, seed), *_table_problems(table)])
    random = numpy.random.default_rng(seed)
    order = random.permutation(len(table))
    ranked = order[numpy.argsort(_certainty(table, strategy)[order], kind="stable")]
    informative = count - round(count * random_share)
    rest = random.permutation(ranked[informative:])
    return [*ranked[:informative].tolist(), *rest[: count - informative].tolist()]


def _tables(
    labelled: pandas.DataFrame | Iterable[pandas.DataFrame] | None, audience_id: str | None
) -> list[pandas.DataFrame]:
    """Tables of labels that have rows; each says what it is about, and if needed who was asked."""
    import pandas

    if audience_id is not None:
        # A blank one would be nobody's, and everything paid again.
        refuse_blank(audience_id=audience_id)
    given = [labelled] if isinstance(labelled, pandas.DataFrame) else list(labelled or ())
    tables = {number: table for number, table in enumerate(given) if len(table)}
    problems: list[str] = []
    for number, table in tables.items():
        if "datapoint_id" not in table.columns:
            problems.append(f"table {number} has no column 'datapoint_id'; {_HOW_TO_MAKE_IDS}")
        elif missing := int(table["datapoint_id"].isna().sum()):
            problems.append(
                f"in table {number}, {missing} of {len(table)} rows have no datapoint_id; "
                + (_HOW_TO_MAKE_IDS if missing == len(table) else _HOW_TO_GO_ON)
            )
        if audience_id is not None and (problem := _audience_problem(number, table)):
            problems.append(problem)
    if problems:
        raise ValidationError("labels", problems)
    return list(tables.values())


def _audience_problem(number: int, table: pandas.DataFrame) -> str | None:
    """What keeps a table from telling whose labels they are."""
    if "audience_id" not in table.columns:
        return f"table {number} has no column 'audience_id'; {_HOW_TO_TELL_AUDIENCES}"
    if missing := int(table["audience_id"].isna().sum()):
        told = f"in table {number}, {missing} of {len(table)} rows have no audience_id"
        return f"{told}; {_HOW_TO_TELL_AUDIENCES}"
    return None


def _of_audience(table: pandas.DataFrame, audience_id: str | None) -> pandas.DataFrame:
    """The labels that count."""
    return table if audience_id is None else table[table["audience_id"] == audience_id]


def _nulls(name: str, count: int) -> Any:
    """A column of the labels without any, of the type that it has with some."""
    import pandas

    kinds = {STRING: "string", INT: "Int64", DOUBLE: "float64", BOOL: "boolean"}
    types = {column.name: kinds.get(column.type, "object") for column in labels_schema()}
    return pandas.Series([None] * count, dtype=types.get(name, "object")).array


def _nullable(column: Any) -> Any:
    """A column that can have nulls without becoming another kind of values."""
    return column.astype({"int64": "Int64", "bool": "boolean"}.get(str(column.dtype), column.dtype))


def _reasons(responses: int, agreement: float, tie: bool, gate: QualityGate) -> Iterator[str]:
    if gate.min_responses is not None and responses < gate.min_responses:
        yield f"{responses} of {gate.min_responses} responses"
    if gate.min_agreement is not None and responses < 2:
        yield "agreement unknown"
    elif gate.min_agreement is not None and agreement < gate.min_agreement:
        yield f"agreement {agreement:.2f} of {gate.min_agreement:.2f}"
    if gate.max_tie_rate is not None and tie:
        yield "tie"


def _certainty(table: numpy.ndarray, strategy: Strategy) -> numpy.ndarray:
    """How sure a model is of each row, on a scale of the strategy's own."""
    import numpy

    if strategy == "margin":
        likeliest = numpy.sort(table, axis=1)
        return likeliest[:, -1] - likeliest[:, -2]
    # 0 log 0 is 0, as in the limit.
    logarithms = numpy.log(table, out=numpy.zeros_like(table), where=table > 0)
    return (table * logarithms).sum(axis=1)


def _choice_problems(count: int, strategy: str, random_share: float, seed: int) -> Iterator[str]:
    yield from outside("count", count, 0, whole=True)
    yield from outside("seed", seed, 0, whole=True)
    if strategy not in get_args(Strategy):
        known = ", ".join(map(repr, get_args(Strategy)))
        yield f"strategy: must be one of {known}, not {strategy!r}"
    yield from outside("random_share", random_share, 0, 1)


def _table_problems(table: numpy.ndarray) -> list[str]:
    import numpy

    if table.ndim != 2 or table.shape[1] < 2:
        return [f"probabilities: need a row each and two classes or more, not {table.shape}"]
    # A null fails every comparison, so it is no number from 0 to 1 either.
    within = (table >= 0).all(axis=1) & (abs(table.sum(axis=1) - 1) <= 1e-6)
    wrong = numpy.flatnonzero(~within).tolist()
    must = "must be at least 0 and add up to 1; not so in"
    return [f"probabilities: {must} {len(wrong)} rows, first in row {wrong[0]}"] if wrong else []
