"""Numbers about labels, each against a second implementation."""

import itertools
import random

import evalica
import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats import inter_rater
from statsmodels.stats.proportion import proportion_confint

from rapidata_core import errors
from rapidata_core.results.quality import metrics
from rapidata_core.results.quality.words import word_agreement, word_shares
from tests.core.results.tallies import label, labels, responses

tallies = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 5), min_size=2), min_size=1, max_size=12
)


def ratings(rows):
    """The votes as a table of labelers by datapoints, as other libraries want them."""
    listed = [[option for option, n in row.items() for _ in range(n)] for row in rows]
    return pandas.DataFrame(itertools.zip_longest(*listed), dtype=object)


def pairs_that_agree(answers):
    pairs = list(itertools.combinations(answers, 2))
    return sum(a == b for a, b in pairs) / len(pairs)


# Agreement


def test_agreement_is_the_chance_that_two_answers_are_the_same():
    table = labels({"a": 3, "b": 1}, {"a": 2, "b": 2}, {"a": 1}, {"a": 0})
    assert metrics.datapoint_agreement(table).tolist()[:2] == pytest.approx([1 / 2, 1 / 3])
    assert metrics.datapoint_agreement(table).isna().tolist() == [False, False, True, True]
    found = metrics.agreement(table)
    assert found.value == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.count == 2


@settings(deadline=None, max_examples=50)
@given(tallies)
def test_agreement_against_counting_pairs(rows):
    known = [
        pairs_that_agree([option for option, n in row.items() for _ in range(n)])
        for row in rows
        if sum(row.values()) > 1
    ]
    found = metrics.agreement(labels(*rows), bootstrap=0)
    assert found.count == len(known)
    assert found.value == (pytest.approx(numpy.mean(known)) if known else None)


def test_agreement_gives_the_kappa_of_fleiss():
    seed = random.Random(1)
    rows = [dict.fromkeys("abc", 0) for _ in range(30)]
    for row in rows:
        for option in seed.choices("abc", [5, 2, 1], k=7):
            row[option] += 1
    counts = numpy.array([list(row.values()) for row in rows])
    chance = ((counts.sum(axis=0) / counts.sum()) ** 2).sum()
    kappa = (metrics.agreement(labels(*rows)).value - chance) / (1 - chance)
    assert kappa == pytest.approx(inter_rater.fleiss_kappa(counts))


def test_agreement_has_an_interval_that_covers_the_truth():
    """Of a coin with 0.8, two tosses agree with 0.68."""
    generator = numpy.random.default_rng(5)
    hits = 0
    for _ in range(60):
        heads = generator.binomial(8, 0.8, size=60).tolist()
        found = metrics.agreement(labels(*({"a": n, "b": 8 - n} for n in heads)), bootstrap=300)
        hits += found.low <= 0.68 <= found.high
        assert found.low <= found.value <= found.high
    assert 51 <= hits <= 60  # 57 of 60 is what 95 % are


def test_answers_of_a_pair_are_its_sides():
    pair = label({"a.jpg": 2, "b.jpg": 1}, items=("a.jpg", "b.jpg"))
    assert metrics.sides(["a.jpg", "b.jpg"], ["b.jpg", "a.jpg", "Both"]) == ["B", "A", "Both"]
    assert metrics.sides(["x"], ["A", "good"]) == ["A", "good"]
    assert metrics.side(["a.jpg", "b.jpg"], 1, "b.jpg") == "B"
    assert metrics.side(["a.jpg", "b.jpg"], None, "Both") == "Both"
    assert metrics.side(["x"], None, "good") == "good"
    assert metrics.datapoint_agreement(labels(pair)).tolist() == pytest.approx([1 / 3])


def test_alpha_compares_sides_not_names():
    rows = [
        label(
            {f"a{n}": 3, f"b{n}": 0} if n % 2 else {f"a{n}": 0, f"b{n}": 3},
            items=(f"a{n}", f"b{n}"),
        )
        for n in range(4)
    ]
    assert metrics.krippendorff_alpha(labels(*rows)).value == 1
    same = metrics.krippendorff_alpha(labels(*rows[1::2]))
    assert (same.value, same.low, same.count) == (None, None, 2)


def test_votes_of_a_ranking_are_not_compared_with_one_another():
    ranking = label({"a": 2, "b": 1, "c": 0}, items=("a", "b", "c"))
    assert metrics.agreement(labels(ranking)).value is None
    assert metrics.krippendorff_alpha(labels(ranking)).value is None


def test_agreement_of_a_ranking_is_about_equal_pairs():
    def chose(datapoint, answer, *compared):
        return datapoint, answer, {"compared": list(compared), "answer_index": "abc".index(answer)}

    answers = responses(
        *[chose(0, "a", 0, 1), chose(0, "a", 1, 0), chose(0, "b", 0, 1)],
        *[chose(0, "c", 1, 2), chose(0, "c", 1, 2), chose(0, "b", 2, 1)],
        chose(1, "c", 1, 2),
    )
    ranking = {"a": 2, "b": 1, "c": 2}
    table = labels(*(label(ranking, items=("a", "b", "c"), datapoint=n) for n in range(2)))
    # Of three pairs of answers about a and b one agrees, and one of those about b and c.
    found = metrics.datapoint_agreement(table, answers)
    assert found[0] == pytest.approx(2 / 6)
    assert pandas.isna(found[1])


# Krippendorff's alpha


def test_alpha_of_the_published_example():
    """Twelve units, four observers, in Krippendorff (2011), "Computing": 0.743."""
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    rows = [
        {str(v): unit.count(v) for v in set(unit) - {None}} for unit in zip(*observers, strict=True)
    ]
    found = metrics.krippendorff_alpha(labels(*rows))
    assert found.value == pytest.approx(0.743, abs=0.0005)
    assert found.count == 11
    assert found.low < found.value < found.high


@settings(deadline=None, max_examples=50)
@given(tallies)
def test_alpha_against_evalica(rows):
    found = metrics.krippendorff_alpha(labels(*rows), bootstrap=0)
    pairable = [row for row in rows if sum(row.values()) > 1]
    if len({option for row in pairable for option, n in row.items() if n}) < 2:
        assert found.value is None
    else:
        assert found.value == pytest.approx(evalica.alpha(ratings(rows), "nominal").alpha)


@settings(deadline=None, max_examples=50)
@given(tallies, st.permutations("abcd"), st.randoms())
def test_what_agreement_does_not_depend_on(rows, names, order):
    renamed = [{names["abcd".index(o)]: n for o, n in row.items()} for row in rows]
    order.shuffle(renamed)
    for measure in (metrics.agreement, metrics.krippendorff_alpha):
        plain = measure(labels(*rows), bootstrap=0)
        other = measure(labels(*renamed), bootstrap=0)
        assert other.value == (plain.value if plain.value is None else pytest.approx(plain.value))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(2, 6)), min_size=2, max_size=9))
def test_perfect_agreement_is_one(rows):
    table = labels(*({option: n} for option, n in rows))
    assert metrics.agreement(table, bootstrap=20).value == 1
    found = metrics.krippendorff_alpha(table, bootstrap=20)
    assert found.value == (1 if len({option for option, _ in rows}) > 1 else None)


def test_alpha_of_chance_is_zero_and_its_interval_against_a_naive_bootstrap():
    generator = numpy.random.default_rng(3)
    heads = generator.binomial(5, 0.5, size=80).tolist()
    rows = [{"a": n, "b": 5 - n} for n in heads]
    found = metrics.krippendorff_alpha(labels(*rows), bootstrap=400)
    assert found.low < 0 < found.high
    drawn = random.Random(7)
    naive = [
        evalica.alpha(ratings(drawn.choices(rows, k=len(rows))), "nominal").alpha
        for _ in range(400)
    ]
    low, high = numpy.quantile(naive, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)


def test_intervals_are_repeatable_and_wider_with_more_confidence():
    table = labels(*({"a": n % 4, "b": 2} for n in range(20)))
    first = metrics.krippendorff_alpha(table, bootstrap=200, seed=1)
    assert first == metrics.krippendorff_alpha(table, bootstrap=200, seed=1)
    assert first != metrics.krippendorff_alpha(table, bootstrap=200, seed=2)
    narrow = metrics.krippendorff_alpha(table, bootstrap=200, seed=1, confidence=0.5)
    assert first.low < narrow.low < narrow.high < first.high


@pytest.mark.parametrize(
    ("bootstrap", "seed", "confidence"), [(-1, 0.5, 1), (10.0, 1.0, 0), (True, "1", 0)]
)
def test_wrong_settings_of_an_interval_are_named_together(bootstrap, seed, confidence):
    settings = {"bootstrap": bootstrap, "seed": seed, "confidence": confidence}
    with pytest.raises(errors.ValidationError, match="bootstrap, seed, confidence is") as caught:
        metrics.agreement(labels({"a": 2}), **settings)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "bootstrap",
        "seed",
        "confidence",
    ]


def test_what_is_no_table_of_labels_is_refused():
    with pytest.raises(errors.ValidationError, match="DataFrame, not list"):
        metrics.agreement([])
    with pytest.raises(errors.ValidationError, match="column votes is missing") as caught:
        metrics.agreement(pandas.DataFrame({"job_id": [], "items": []}))
    assert len(caught.value.problems) == 2


# Counts


def test_coverage_is_of_the_datapoints_that_there_should_be():
    table = labels({"a": 2}, {"a": 0}, {"b": 1})
    assert metrics.coverage(table).value == pytest.approx(2 / 3)
    assert metrics.coverage(table, expected=8).value == 2 / 8
    assert metrics.coverage(labels()).value is None
    with pytest.raises(errors.ValidationError, match="labels has 3 datapoints"):
        metrics.coverage(table, expected=2)


def test_minimum_responses():
    assert metrics.minimum_responses(labels({"a": 2}, {"b": 5})) == metrics.Estimate(2, count=2)
    assert metrics.minimum_responses(labels()).value is None


def test_ties_are_of_the_datapoints_with_votes():
    nothing = label({}, is_tie=True)
    table = labels({"a": 2, "b": 2}, {"a": 3}, {"a": 1, "b": 1}, {"a": 0}, nothing)
    assert metrics.tie_rate(table) == metrics.Estimate(2 / 3, count=3)
    assert metrics.tie_rate(labels(nothing)).value is None


# Gold


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_gold_accuracy_against_statsmodels(right, wrong, confidence):
    rows = [label({"a": 1}, truth="a")] * right + [label({"a": 1}, truth="b")] * wrong
    found = metrics.gold_accuracy(labels(label({"a": 1}), *rows), confidence=confidence)
    if not rows:
        assert found == metrics.Estimate(None)
        return
    low, high = proportion_confint(right, len(rows), alpha=1 - confidence, method="wilson")
    assert found.value == right / len(rows)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.count == len(rows)


def test_a_tie_or_no_label_is_wrong():
    table = labels(
        label({"a": 1, "b": 1}, truth="a"), label({}, truth="a"), label({"a": 1}, truth="a")
    )
    assert metrics.gold_accuracy(table).value == pytest.approx(1 / 3)


# Drift


def shares(counts):
    return labels(*(label({option: 1}) for option, n in counts.items() for _ in range(n)))


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1),
)
def test_drift_is_the_largest_difference_that_any_set_of_labels_has(now, then):
    found = metrics.drift(shares(now), shares(then)).value
    sets = itertools.chain.from_iterable(itertools.combinations("abc", n) for n in range(4))
    naive = max(
        sum(now.get(o, 0) for o in some) / sum(now.values())
        - sum(then.get(o, 0) for o in some) / sum(then.values())
        for some in sets
    )
    assert found == pytest.approx(naive)
    assert found == pytest.approx(metrics.drift(shares(then), shares(now)).value)


def test_drift_of_comparisons_is_about_sides():
    now = labels(
        label({"a": 2, "b": 1}, items=("a", "b")), label({"c": 2, "d": 1}, items=("c", "d"))
    )
    then = labels(
        label({"e": 2, "f": 1}, items=("e", "f")), label({"g": 1, "h": 2}, items=("g", "h"))
    )
    assert metrics.drift(now, then).value == 0.5
    assert metrics.drift(now, labels(label({}))).value is None


def test_what_changed_is_known_by_identity():
    def rows(*named):
        return labels(*(label(votes, datapoint_id=name) for name, votes in named))

    then = rows(("1", {"a": 1}), ("2", {"a": 1}), ("3", {"a": 1}), ("4", {}), (None, {"a": 1}))
    now = rows(
        ("3", {"a": 1, "b": 1}), ("2", {"a": 5}), ("1", {"b": 1}), ("4", {"a": 1}), (None, {"b": 1})
    )
    assert metrics.changed(now, then) == metrics.Estimate(2 / 3, count=3)
    assert metrics.earlier_labels(now, then) == {0: "a", 1: "a", 2: "a"}
    assert metrics.changed(now, rows((None, {"a": 1}))).value is None


# Words


def words(*indexes):
    return [{"word": f"w{index % 3}", "index": index} for index in indexes]


def test_word_shares_are_of_all_answers():
    found = word_shares(responses((0, words(1, 2)), (0, words(2)), (0, []), (1, words(4)), (2, [])))
    assert found.to_dict("split")["data"] == [
        ["j", 0, "w1", 1, 1, pytest.approx(1 / 3)],
        ["j", 0, "w2", 2, 2, pytest.approx(2 / 3)],
        ["j", 1, "w1", 4, 1, 1.0],
    ]
    empty = word_shares(responses())
    assert empty.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sets(st.integers(0, 5)), min_size=2, max_size=6))
def test_word_agreement_against_sets(chosen):
    naive = [len(a & b) / len(a | b) if a | b else 1 for a, b in itertools.combinations(chosen, 2)]
    found = word_agreement(responses(*((0, words(*own)) for own in chosen)))
    assert found["agreement"].tolist() == pytest.approx([numpy.mean(naive)])
    assert found["responses"].tolist() == [len(chosen)]


def test_words_selected_by_one_person_have_no_agreement():
    assert word_agreement(responses((0, words(1))))["agreement"].isna().all()


def test_answers_of_another_type_are_refused():
    with pytest.raises(errors.ValidationError, match="must be words, and these are points"):
        word_shares(responses((0, [{"x": 1.0, "y": 2.0}])))
    with pytest.raises(errors.ValidationError, match="must be words, and these are text"):
        word_agreement(responses((0, "yes")))


def test_agreement_takes_what_kind_of_answers_there_are():
    table = labels(*(label({}, datapoint=n, responses=2) for n in range(2)))
    assert metrics.agreement(table).value is None
    assert metrics.agreement(table, responses((0, words(1)), (0, words(1, 2)))).value == 0.5
    points = responses((1, [{"x": 1, "y": 1}]), (1, [{"x": 2, "y": 1}]))
    assert metrics.datapoint_agreement(table, points)[1] == 1
    stroke = [{"size": 5, "points": [{"x": 1, "y": 1}]}]
    assert metrics.datapoint_agreement(table, responses((1, stroke), (1, stroke)))[1] == 1
    assert metrics.agreement(table, responses((0, "a text"), (0, "a text"))).value is None


def test_votes_count_before_anything_else():
    both = metrics.datapoint_agreement(
        labels({"a": 2}, {}), responses((0, words(1)), (0, words(2)))
    )
    assert both[0] == 1


def test_one_datapoint_has_no_interval():
    found = metrics.agreement(labels({"a": 2, "b": 1}))
    assert (found.low, found.high, found.count) == (None, None, 1)


def test_tables_that_went_through_parquet_say_the_same(tmp_path):
    table = labels({"a": 3, "b": 1}, {"a": 2, "b": 2}, label({"p": 2, "q": 1}, items=("p", "q")))
    table.to_parquet(tmp_path / "labels.parquet")
    again = pandas.read_parquet(tmp_path / "labels.parquet")
    for measure in (metrics.agreement, metrics.krippendorff_alpha, metrics.tie_rate):
        assert measure(again) == measure(table)
    assert metrics.drift(again, table).value == 0
    found = responses((0, words(1, 2)), (0, words(2)))
    found.to_parquet(tmp_path / "responses.parquet")
    again = pandas.read_parquet(tmp_path / "responses.parquet")
    assert word_agreement(again).equals(word_agreement(found))
