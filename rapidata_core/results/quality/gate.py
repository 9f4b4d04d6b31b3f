"""Are these labels good enough? A gate with limits, and a report that engines can show.

The numbers themselves are in :mod:`rapidata_core.results.quality.metrics`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from rapidata_core.errors import QualityGateError, outside, refuse
from rapidata_core.results.frames import check_table, column, records
from rapidata_core.results.quality import metrics
from rapidata_core.results.quality.metrics import Estimate

if TYPE_CHECKING:
    import pandas

# How many datapoints a report shows at most.
_SHOWN = 20
# How many characters of an item's name or text a report shows at most, as Markdown.
_WIDE = 80
_COLUMNS = (
    *("job_id", "datapoint", "datapoint_id", "items", "label", "label_index", "responses"),
    *("votes", "is_tie", "truth"),
)
# Limit -> the metric that it limits.
_LIMITED = {
    "min_agreement": "agreement",
    "min_alpha": "alpha",
    "min_responses": "responses",
    "min_coverage": "coverage",
    "max_tie_rate": "tie_rate",
    "min_gold_accuracy": "gold_accuracy",
    "max_drift": "drift",
}
_UNDEFINED = {
    "agreement": "no datapoint has two answers that can be compared",
    "alpha": "it needs two votes on a datapoint, and votes for different options",
    "responses": "there are no datapoints",
    "coverage": "there are no datapoints",
    "tie_rate": "no datapoint has votes",
    "gold_accuracy": 'no datapoint has a "truth" in its private metadata',
    "drift": "one of the tables has no labels",
}


@dataclass(frozen=True)
class Check:
    """One limit, and whether the labels keep it.

    Attributes:
        name: The limit's name in :class:`QualityGate`.
        value: What was found, or None where it is not defined: then the check has failed.
        low: Lower end of the value's 95 % interval, where there is one.
        high: Upper end.
        limit: The limit.
        passed: Whether the value itself keeps it; the interval is only shown.
        detail: The same as a sentence.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    limit: float
    passed: bool
    detail: str


@dataclass(frozen=True)
class WeakDatapoint:
    """A datapoint that pulls the labels below a limit.

    Attributes:
        job_id: The job.
        datapoint: Position in the job's results.
        datapoint_id: Its identity, where the labels were made with a spec.
        items: Names of the assets, or the texts.
        responses: Human answers.
        agreement: The chance that two of them agree, or None.
        reasons: What is wrong with it, one phrase per failed check.
    """

    job_id: str | None
    datapoint: int
    datapoint_id: str | None
    items: tuple[str, ...]
    responses: int
    agreement: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class QualityReport:
    """What a :class:`QualityGate` found.

    Attributes:
        checks: One per limit.
        metrics: All numbers, limited or not, by name.
        worst: The datapoints that pull the labels below limits, those with most reasons and least
            agreement first; 20 at most.
        worst_count: How many there are in all.
    """

    checks: tuple[Check, ...]
    metrics: Mapping[str, Estimate]
    worst: tuple[WeakDatapoint, ...]
    worst_count: int

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def raise_for_failure(self) -> None:
        """Go on only with labels that passed.

        Raises:
            QualityGateError: A check failed; the message says which ones, and how far.
        """
        failed = [check.detail for check in self.checks if not check.passed]
        if failed:
            listed = "".join(f"\n  - {detail}" for detail in failed)
            raise QualityGateError(f"The labels are not good enough:{listed}", report=self)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON has it: dictionaries, lists, texts, numbers, booleans and None."""
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "metrics": {name: asdict(estimate) for name, estimate in self.metrics.items()},
            "worst": [
                asdict(weak) | {"items": list(weak.items), "reasons": list(weak.reasons)}
                for weak in self.worst
            ],
            "worst_count": self.worst_count,
        }

    def to_markdown(self) -> str:
        """The report as Markdown tables: for logs, artifacts and metadata."""
        limited = {_LIMITED[check.name] for check in self.checks}
        rows = [
            [
                check.name,
                _number(check.value),
                _interval(check.low, check.high),
                _number(check.limit),
                "passed" if check.passed else "**failed**",
            ]
            for check in self.checks
        ]
        rows += [
            [name, _number(found.value), _interval(found.low, found.high), "", ""]
            for name, found in self.metrics.items()
            if name not in limited
        ]
        lines = [f"Quality gate: **{'passed' if self.passed else 'failed'}**", ""]
        lines += _table(["check", "value", "95 % interval", "limit", "result"], rows)
        failed = [check.detail for check in self.checks if not check.passed]
        if failed:
            lines += ["", *(f"- {detail}" for detail in failed)]
        if self.worst:
            lines += [
                "",
                f"{len(self.worst)} of {self.worst_count} datapoints that cause this:",
                "",
            ]
            head = ["datapoint", "items", "responses", "agreement", "why"]
            lines += _table(head, [_weak_row(one) for one in self.worst])
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class QualityGate:
    """Limits that labels have to keep. At least one has to be set.

    A limit whose number is not defined (no truth is known, nobody answered) is not kept. Limits are
    compared with the numbers themselves, not with their intervals.

    Attributes:
        min_agreement: The chance that two answers to a datapoint agree, 0..1, see
            :func:`~rapidata_core.results.quality.metrics.agreement`.
        min_alpha: Krippendorff's alpha, -1..1, see
            :func:`~rapidata_core.results.quality.metrics.krippendorff_alpha`.
        min_responses: Human answers that every datapoint of the table has.
        min_coverage: Share of the datapoints that have answers, 0..1.
        max_tie_rate: Share of the datapoints in which several answers have the most votes, 0..1.
        min_gold_accuracy: Share of right labels where the truth is known, 0..1.
        max_drift: Distance of the labels' distribution from an earlier one, 0..1, see
            :func:`~rapidata_core.results.quality.metrics.drift`.

    Raises:
        ValidationError: No limit is set, or one is out of its range; it lists all of them.
    """

    min_agreement: float | None = None
    min_alpha: float | None = None
    min_responses: int | None = None
    min_coverage: float | None = None
    max_tie_rate: float | None = None
    min_gold_accuracy: float | None = None
    max_drift: float | None = None

    def __post_init__(self) -> None:
        limits = self._limits()
        problems = [problem for name, limit in limits.items() for problem in _wrong(name, limit)]
        if not limits:
            problems.append(f"gate: set at least one of {', '.join(_LIMITED)}")
        refuse(problems)

    def check(
        self,
        labels: pandas.DataFrame,
        responses: pandas.DataFrame | None = None,
        *,
        earlier: pandas.DataFrame | None = None,
        expected: int | None = None,
    ) -> QualityReport:
        """Look whether labels keep the limits.

        Args:
            labels: The labels.
            responses: The responses; agreement needs them where answers are no votes for an option:
                rankings, points, lines and words.
            earlier: Labels to compare these with, for ``max_drift``.
            expected: How many datapoints there should be, for ``min_coverage``; those of the table
                without it.

        Raises:
            ValidationError: One of the arguments is wrong.
        """
        check_table("labels", labels, _COLUMNS)
        agreements = metrics.datapoint_agreement(labels, responses)
        found = {
            "agreement": metrics.mean_agreement(agreements),
            "alpha": metrics.krippendorff_alpha(labels),
            "responses": metrics.minimum_responses(labels),
            "coverage": metrics.coverage(labels, expected=expected),
            "tie_rate": metrics.tie_rate(labels),
            "gold_accuracy": metrics.gold_accuracy(labels),
        }
        if earlier is not None:
            found["drift"] = metrics.drift(labels, earlier)
            found["changed"] = metrics.changed(labels, earlier)
        missing = dict(_UNDEFINED)
        if responses is None:
            missing["agreement"] += "; give the responses, too, unless answers are single votes"
        if earlier is None:
            missing["drift"] = "give the earlier labels"
        limits = self._limits()
        checks = tuple(
            _checked(name, limit, found.get(_LIMITED[name], Estimate(None)), missing)
            for name, limit in limits.items()
        )
        failed = {check.name: check.limit for check in checks if not check.passed}
        weak = _weak(labels, agreements, earlier, failed)
        return QualityReport(checks, found, tuple(weak[:_SHOWN]), len(weak))

    def _limits(self) -> dict[str, Any]:
        limits = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in limits.items() if limit is not None}


def _wrong(name: str, limit: Any) -> list[str]:
    if name == "min_responses":
        return outside(name, limit, 1, whole=True)
    return outside(name, limit, -1 if name == "min_alpha" else 0, 1)


def _checked(name: str, limit: float, found: Estimate, missing: Mapping[str, str]) -> Check:
    metric, value = _LIMITED[name], found.value
    if value is None:
        passed, detail = False, f"{name}: {metric} is not defined: {missing[metric]}"
    else:
        distance = limit - value if name.startswith("min_") else value - limit
        # A mean of 0.8, added up, can be 0.7999999999999999.
        passed = distance <= 1e-9
        relation = "keeps" if passed else "does not keep"
        detail = f"{name}: {metric} {_number(value)} {relation} the limit {_number(limit)}"
    return Check(name, value, found.low, found.high, limit, passed, detail)


def _weak(
    labels: pandas.DataFrame,
    agreements: pandas.Series[float],
    earlier: pandas.DataFrame | None,
    failed: Mapping[str, float],
) -> list[WeakDatapoint]:
    """The datapoints because of which checks failed, the worst first."""
    if not failed:
        return []
    before = metrics.earlier_labels(labels, earlier) if earlier is not None else {}
    # Alpha is about all datapoints together; those below the average pull it down.
    low = failed.get("min_agreement", agreements.mean() if "min_alpha" in failed else 0.0)
    pairs = zip(records(labels, _COLUMNS), column(agreements.to_frame(), "agreement"), strict=True)
    found: list[WeakDatapoint] = []
    for place, (row, agreement) in enumerate(pairs):
        earlier_label = before.get(place, row["label"])
        reasons = tuple(_reasons(row, agreement, low, earlier_label, failed))
        if reasons:
            found.append(
                WeakDatapoint(
                    row["job_id"],
                    row["datapoint"],
                    row["datapoint_id"],
                    tuple(row["items"]),
                    row["responses"],
                    agreement,
                    reasons,
                )
            )
    # Without two answers nothing is known about agreement: that is worse than little.
    return sorted(
        found, key=lambda w: (-len(w.reasons), -1 if w.agreement is None else w.agreement)
    )


def _reasons(
    row: Mapping[str, Any],
    agreement: float | None,
    low: float,
    earlier_label: str | None,
    failed: Mapping[str, float],
) -> Iterator[str]:
    """What is wrong with a datapoint, by the limits that were not kept."""
    if agreement is not None and agreement < low:
        yield f"agreement {_number(agreement)}"
    if row["responses"] < failed.get("min_responses", "min_coverage" in failed):
        yield f"{row['responses']} responses"
    if "max_tie_rate" in failed and row["is_tie"]:
        yield "tie"
    if "min_gold_accuracy" in failed and row["truth"] not in {None, row["label"]}:
        yield f"truth {row['truth']!r}, label {row['label']!r}"
    if "max_drift" in failed and earlier_label != row["label"]:
        yield f"label {row['label']!r}, earlier {earlier_label!r}"


def _weak_row(weak: WeakDatapoint) -> list[str]:
    return [
        str(weak.datapoint),
        _escaped(", ".join(weak.items)),
        str(weak.responses),
        _number(weak.agreement),
        _escaped("; ".join(weak.reasons)),
    ]


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.6g}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None else f"{_number(low)} to {_number(high)}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _escaped(text: str) -> str:
    """Text of others, so that it can neither leave its cell nor become markup."""
    line = " ".join(text.split())
    short = line if len(line) <= _WIDE else f"{line[: _WIDE - 1]}…"
    return re.sub(r"([\\|`*\[\]<>])", r"\\\1", short)
