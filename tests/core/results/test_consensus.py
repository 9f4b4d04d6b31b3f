"""Who is right, and what is better: each model against a second implementation."""

import itertools
import math
import random

import numpy
import pandas
import pytest
import statsmodels.api
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidata_core import errors
from rapidata_core.results.quality.consensus import dawid_skene
from rapidata_core.results.quality.pairwise import bradley_terry, comparisons
from tests.core.results.tallies import label, labels, responses, vote

# Dawid and Skene


def said(datapoint, labeler, answer, **more):
    return datapoint, answer, {"labeler": labeler, **more}


def naive(answers, iterations):
    """The equations of the paper, (2.3) to (2.5), with loops and products."""
    units, people, classes = (sorted({row[n] for row in answers}) for n in range(3))
    belief = {}
    for u in units:
        votes = [k for unit, _, k in answers if unit == u]
        belief[u] = {k: votes.count(k) / len(votes) for k in classes}
    for _ in range(iterations):
        prevalence = {k: sum(belief[u][k] for u in units) / len(units) for k in classes}
        matrix = {}
        for j, k in itertools.product(people, classes):
            weight = {
                given: sum(belief[u][k] for u, p, a in answers if (p, a) == (j, given))
                for given in classes
            }
            total = sum(weight.values())
            matrix[j, k] = {
                given: weight[given] / total if total else 1 / len(classes) for given in classes
            }
        for u in units:
            joint = {
                k: prevalence[k] * math.prod(matrix[j, k][a] for unit, j, a in answers if unit == u)
                for k in classes
            }
            belief[u] = {k: joint[k] / sum(joint.values()) for k in classes}
    return belief, matrix, prevalence


def crowd(seed, units=15, people=6, classes="xyz"):
    """Some labelers are good, one always says the same, one is mostly wrong."""
    drawn = random.Random(seed)
    truth = [drawn.choice(classes) for _ in range(units)]
    answers = []
    for u, j in itertools.product(range(units), range(people)):
        if drawn.random() < 0.2:
            continue
        right = drawn.random() < (0.85 if j < 4 else 0.1)
        answer = truth[u] if right else drawn.choice(classes)
        answers.append((u, f"p{j}", classes[0] if j == 4 else answer))
    return truth, answers


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("iterations", [1, 2, 12])
def test_dawid_skene_against_the_paper(seed, iterations):
    _, answers = crowd(seed)
    found = dawid_skene(
        responses(*(said(*row) for row in answers)), iterations=iterations, tolerance=1e-300
    )
    belief, matrix, prevalence = naive(answers, iterations)
    for (_, unit), row in found.probabilities.iterrows():
        assert row.to_dict() == pytest.approx(belief[unit], abs=1e-9)
    for key, row in found.confusion.iterrows():
        assert row.to_dict() == pytest.approx(matrix[key], abs=1e-9)
    assert found.prevalence.to_dict() == pytest.approx(prevalence, abs=1e-9)
    assert found.iterations == iterations


def test_dawid_skene_listens_to_the_able():
    drawn = random.Random(3)
    truth = [drawn.choice("xy") for _ in range(60)]
    answers = [(u, f"able{j}", t) for u, t in enumerate(truth) for j in range(2)]
    answers += [
        (u, f"careless{j}", drawn.choice("xy")) for u, j in itertools.product(range(60), range(5))
    ]
    votes = [[a for unit, _, a in answers if unit == u] for u in range(60)]
    by_votes = sum(max("xy", key=v.count) == t for v, t in zip(votes, truth, strict=True))
    found = dawid_skene(responses(*(said(*row) for row in answers)))
    assert found.converged
    assert found.probabilities.idxmax(axis=1).tolist() == truth
    assert by_votes < 60
    assert found.confusion.loc[("able0", "x"), "x"] == pytest.approx(1)
    assert found.confusion.loc[("careless0", "x"), "x"] < 0.8


def test_a_thousand_answers_are_no_trouble():
    """Their probabilities, multiplied, are too small for a computer."""
    rows = [
        said(u, f"p{n % 3}", "x" if n % 10 < 6 + u else "y") for u in (0, 1) for n in range(3000)
    ]
    found = dawid_skene(responses(*rows))
    assert numpy.isfinite(found.probabilities.to_numpy()).all()
    assert found.probabilities.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_of_a_class_that_a_labeler_never_saw_nothing_is_known():
    found = dawid_skene(responses(said(0, "p", "x"), said(0, "q", "x"), said(1, "p", "y")))
    assert found.confusion.loc[("q", "y")].tolist() == [0.5, 0.5]
    assert found.confusion.loc[("q", "x")].tolist() == [1, 0]


def test_classes_of_a_comparison_are_its_sides():
    def pair(n, labeler, index):
        items = [f"a{n}", f"b{n}"]
        answer = "Both" if index is None else items[index]
        return said(n, labeler, answer, items=items, answer_index=index)

    found = dawid_skene(
        responses(*(pair(n, p, n % 2) for n in range(4) for p in "pq"), pair(4, "p", None))
    )
    assert found.probabilities.columns.tolist() == ["A", "B", "Both"]
    assert found.probabilities.idxmax(axis=1).tolist() == ["A", "B", "A", "B", "Both"]
    assert found.probabilities.index.tolist() == [("j", n) for n in range(5)]


def test_options_may_be_called_like_columns():
    found = dawid_skene(responses(said(0, "p", "datapoint"), said(1, "p", "job_id")))
    assert found.probabilities.columns.tolist() == ["datapoint", "job_id"]


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from("pqr"), st.sampled_from("xyz")), min_size=1
    ),
    st.randoms(),
)
def test_the_order_of_answers_makes_no_difference(answers, order):
    first = dawid_skene(responses(*(said(*row) for row in answers)), iterations=5)
    order.shuffle(answers)
    second = dawid_skene(responses(*(said(*row) for row in answers)), iterations=5)
    pandas.testing.assert_frame_equal(
        first.probabilities.sort_index(), second.probabilities.sort_index()
    )
    assert (first.probabilities.sum(axis=1) - 1).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([], "has no answers"),
        ([said(0, None, "x"), said(0, "p", "x")], "missing in 1 of 2 answers.*labeler_key"),
        ([said(0, "p", "x", compared=[0, 1])], "those of a comparison or a classification"),
        ([said(0, "p", [{"x": 1, "y": 1}])], "those of a comparison or a classification"),
        ([said(0, "p", "x"), said(0, "q", None)], "answer: is missing"),
    ],
)
def test_what_dawid_skene_cannot_use(rows, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        dawid_skene(responses(*rows))


def test_texts_are_too_many_classes():
    rows = [said(n, f"p{n}", f"text {n}") for n in range(300)]
    with pytest.raises(errors.ValidationError, match="has 300 different values"):
        dawid_skene(responses(*rows))


@pytest.mark.parametrize(("iterations", "tolerance"), [(0, -1), (2.5, 0)])
def test_settings_are_above_zero(iterations, tolerance):
    with pytest.raises(errors.ValidationError, match="iterations, tolerance") as caught:
        dawid_skene(responses(said(0, "p", "x")), iterations=iterations, tolerance=tolerance)
    assert len(caught.value.problems) == 2


# Comparisons


def test_comparisons_of_labels():
    table = labels(
        label({"a": 3, "b": 1}, items=("a", "b")),
        label({}, items=("a", "b"), votes=[vote("Both", 1), vote("b", 2, 1.5), vote("a", 0, 0.0)]),
    )
    found = comparisons(table)
    assert found.to_dict("split")["data"] == [
        ["a", "b", 3, 0],
        ["b", "a", 1, 0],
        ["a", "b", 0.5, 1],
        ["b", "a", 0.5, 1],
        ["b", "a", 2, 1],
    ]
    assert comparisons(table, weighted=True).to_dict("split")["data"] == [["b", "a", 1.5, 1]]
    assert comparisons(labels()).dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()


def test_comparisons_of_responses():
    def chose(datapoint, index, score=0.5, **more):
        more = {"items": ["a", "b", "c"], "answer_index": index, "user_score": score, **more}
        return datapoint, "abc"[index] if index is not None else "Neither", more

    ranking = responses(
        chose(0, 2, compared=[2, 0]), chose(0, 1, compared=[0, 1]), chose(0, None, compared=[1, 2])
    )
    assert comparisons(ranking).to_dict("split")["data"] == [
        ["c", "a", 1, 0],
        ["b", "a", 1, 1],
        ["b", "c", 0.5, 2],
        ["c", "b", 0.5, 2],
    ]
    pairs = responses(
        chose(0, 1, 0.25, items=["a", "b"]),
        chose(0, 0, 0.75, items=["a", "b"]),
        chose(1, 0, None, items=["a", "b"]),
    )
    assert comparisons(pairs)["draw"].tolist() == [0, 0, 1]
    assert comparisons(pairs, weighted=True).to_dict("split")["data"] == [
        ["b", "a", 0.25, 0],
        ["a", "b", 0.75, 0],
    ]


def test_labels_and_responses_of_a_comparison_say_the_same():
    items = ["a", "b"]
    answers = responses(
        *((0, items[n], {"items": items, "answer_index": n}) for n in (0, 0, 1)),
        (0, "Both", {"items": items}),
    )
    counted = comparisons(labels(label({"a": 2, "b": 1, "Both": 1}, items=("a", "b"))))
    single = comparisons(answers).groupby(["winner", "loser"])["weight"].sum()
    assert counted.groupby(["winner", "loser"])["weight"].sum().equals(single)


def test_comparisons_of_what_made_the_items():
    made_by = {"1a": "model a", "1b": "model b", "2a": "model a", "2b": "model b", "2c": "model a"}
    rows = [label({f"{n}a": 2, f"{n}b": 1}, items=(f"{n}a", f"{n}b")) for n in (1, 2)]
    same = label({"2a": 1, "2c": 1}, items=("2a", "2c"))
    found = comparisons(labels(*rows, same), names=made_by)
    assert found["winner"].tolist() == ["model a", "model b"] * 2
    with pytest.raises(errors.ValidationError, match="2 items have none: '1b', '2b'"):
        comparisons(labels(*rows), names={"1a": "x", "2a": "y"})


def test_items_of_one_name_are_not_compared():
    twins = label({}, items=("a", "a"), votes=[vote("a", 2), vote("a", 1)])
    assert comparisons(labels(twins)).empty


def test_labels_of_a_ranking_do_not_say_who_met_whom():
    with pytest.raises(errors.ValidationError, match="a ranking needs the responses"):
        comparisons(labels(label({"a": 1, "b": 0, "c": 0}, items=("a", "b", "c"))))


# Bradley and Terry


def games(wins):
    """Comparisons of ``{(winner, loser): votes}``, each vote by itself."""
    rows = [(*pair, 1.0) for pair, n in wins.items() for _ in range(n)]
    table = pandas.DataFrame(rows, columns=["winner", "loser", "weight"])
    return table.assign(draw=range(len(rows)))


def tournament(seed, strengths, rounds=12):
    drawn = random.Random(seed)
    wins = {}
    for (a, p), (b, q) in itertools.combinations(strengths.items(), 2):
        won = sum(drawn.random() < 1 / (1 + math.exp(q - p)) for _ in range(rounds))
        wins[a, b], wins[b, a] = won, rounds - won
    return wins


STRENGTHS = {"a": 1.0, "b": 0.3, "c": -0.2, "d": -1.1}


def with_prior(wins, prior, anchor="nobody"):
    items = {name for pair in wins for name in pair}
    imagined = {pair: prior for name in items for pair in ((name, anchor), (anchor, name))}
    return {**wins, **imagined}


def minorised(wins, rounds=20_000):
    """Hunter's algorithm (2004), in plain Python."""
    items = sorted({name for pair in wins for name in pair})
    strength = dict.fromkeys(items, 1.0)
    for _ in range(rounds):
        new = {
            i: sum(wins.get((i, j), 0) for j in items)
            / sum(
                (wins.get((i, j), 0) + wins.get((j, i), 0)) / (strength[i] + strength[j])
                for j in items
                if j != i
            )
            for i in items
        }
        moved = max(abs(new[i] - strength[i]) for i in items)
        strength = new
        if moved < 1e-12:
            break
    return {name: math.log(value) for name, value in strength.items()}


def centred(scores, items):
    mean = sum(scores[name] for name in items) / len(items)
    return {name: scores[name] - mean for name in items}


def scores_of(table):
    return dict(zip(table["item"], table["score"], strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prior", [1.0, 0.2])
def test_scores_against_a_naive_implementation(seed, prior):
    wins = tournament(seed, STRENGTHS)
    found = bradley_terry(games(wins), prior=prior, bootstrap=0)
    expected = centred(minorised(with_prior(wins, prior)), STRENGTHS)
    assert scores_of(found) == pytest.approx(expected, abs=1e-6)
    assert found["score"].is_monotonic_decreasing
    assert found[["low", "high"]].isna().all(axis=None)


def test_scores_with_next_to_no_prior_are_those_of_a_logistic_regression():
    wins = tournament(5, STRENGTHS, rounds=40)
    names = list(STRENGTHS)
    rows = [[(n == a) - (n == b) for n in names[1:]] for a, b in wins]
    won = [[n, wins[b, a]] for (a, b), n in wins.items()]
    half = [place for place, (a, b) in enumerate(wins) if a < b]
    model = statsmodels.api.GLM(
        numpy.array(won)[half],
        numpy.array(rows, dtype=float)[half],
        family=statsmodels.api.families.Binomial(),
    ).fit()
    fitted = centred({"a": 0.0, **dict(zip(names[1:], model.params.tolist(), strict=True))}, names)
    found = bradley_terry(games(wins), prior=1e-6, bootstrap=500)
    assert scores_of(found) == pytest.approx(fitted, abs=1e-4)
    # The bootstrap's interval is as wide as the one that the likelihood's curvature gives.
    covariance = numpy.zeros((4, 4))
    covariance[1:, 1:] = model.cov_params()
    to_mean = numpy.eye(4) - 1 / 4
    deviation = dict(
        zip(names, numpy.sqrt(numpy.diag(to_mean @ covariance @ to_mean.T)), strict=True)
    )
    for row in found.itertuples():
        assert row.low < row.score < row.high
        assert row.high - row.low == pytest.approx(2 * 1.96 * deviation[row.item], rel=0.2)


def test_who_always_won_has_a_finite_score():
    found = bradley_terry(games({("a", "b"): 9, ("b", "c"): 9, ("a", "c"): 9}), bootstrap=100)
    assert found["item"].tolist() == ["a", "b", "c"]
    assert numpy.isfinite(found[["score", "low", "high"]].to_numpy()).all()
    assert found["wins"].tolist() == [18, 9, 0]
    assert found["losses"].tolist() == [0, 9, 18]


def test_ties_draw_together():
    tied = labels(*(label({"Both": 4, "a": 0, "b": 0}, items=("a", "b")) for _ in range(3)))
    found = bradley_terry(comparisons(tied), bootstrap=0)
    assert found["score"].tolist() == pytest.approx([0, 0], abs=1e-7)
    some = labels(label({"Neither": 4, "a": 4, "b": 0}, items=("a", "b")))
    none = labels(label({"Neither": 0, "a": 4, "b": 0}, items=("a", "b")))
    with_ties, without = (
        bradley_terry(comparisons(t), bootstrap=0)["score"][0] for t in (some, none)
    )
    assert 0 < with_ties < without


def test_answers_to_one_datapoint_are_drawn_together():
    """Ten equal answers to one datapoint are not ten answers to ten datapoints."""
    single = games({("a", "b"): 60, ("b", "a"): 40})
    together = single.assign(draw=[n // 20 for n in range(100)])
    one = single.assign(draw=0)
    narrow, wide, none = (bradley_terry(table, bootstrap=200) for table in (single, together, one))
    assert narrow["score"].tolist() == wide["score"].tolist() == none["score"].tolist()
    width = [(table["high"] - table["low"])[0] for table in (narrow, wide)]
    assert width[1] > 2 * width[0]
    assert none["low"].isna().all()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=6, max_size=6), st.permutations("abc"), st.randoms())
def test_scores_do_not_depend_on_names_or_order(counts, names, order):
    pairs = list(itertools.permutations("abc", 2))
    wins = {pair: n + 1 for pair, n in zip(pairs, counts, strict=True)}
    renamed = {tuple(names["abc".index(x)] for x in pair): n for pair, n in wins.items()}
    table = games(renamed)
    shuffled = table.sample(frac=1, random_state=order.randint(0, 2**31)).reset_index(drop=True)
    first = scores_of(bradley_terry(games(wins), bootstrap=0))
    second = scores_of(bradley_terry(shuffled, bootstrap=0))
    assert {n: second[names["abc".index(n)]] for n in "abc"} == pytest.approx(first, abs=1e-6)


def test_two_groups_that_never_met_have_no_common_rank():
    with pytest.raises(errors.ValidationError, match=r"'a' was never compared.*'c', 'd'"):
        bradley_terry(games({("a", "b"): 1, ("d", "c"): 1}))
    linked = bradley_terry(games({("a", "b"): 1, ("d", "c"): 1, ("b", "d"): 1}), bootstrap=0)
    assert len(linked) == 4


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"weight": -1.0}, "a weight must be"),
        ({"weight": float("nan")}, "values are missing"),
        ({"weight": float("inf")}, "a weight must be"),
        ({"loser": "a"}, "compared with itself"),
    ],
)
def test_wrong_comparisons_are_refused(changes, problem):
    with pytest.raises(errors.ValidationError, match=problem):
        bradley_terry(games({("a", "b"): 2}).assign(**changes))


def test_no_comparisons_and_no_prior_are_named_together():
    with pytest.raises(errors.ValidationError) as caught:
        bradley_terry(games({}), prior=0)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["prior", "comparisons"]


def test_without_evalica_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("rapidata_core.results.quality.answers.find_spec", lambda name: None)
    with pytest.raises(errors.ValidationError, match=r"evalica is missing: install rapidata-"):
        bradley_terry(games({("a", "b"): 2}))
