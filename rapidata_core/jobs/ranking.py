"""Ranking: in which order do items fit the instruction, judged two at a time?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rapidata_core.jobs.checks import item_problem, problems_of, raise_problems
from rapidata_core.jobs.datapoint import Datapoint, Group, Json
from rapidata_core.jobs.spec import JobSpec

# Up to this many items, every pair is compared; more are matched as their order emerges.
_ALL_PAIRS = 10
_STARTING_SCORE = 1200


class RankingJob(JobSpec, frozen=True):
    """Labelers see two items of a set at a time; from their choices follows the set's order.

    Phrase the instruction for two items: "Which rabbit looks cooler?".

    Attributes:
        datapoints: One list of two or more different items per ranking.
        contexts: One text per ranking.
        media_contexts: One list of images per ranking.
        comparison_budget_per_ranking: Comparisons to make in each ranking. Rankings of up to 10
            items compare every pair equally often, and at least once.
        responses_per_comparison: Human answers for each comparison.
        random_comparisons_ratio: Part of the comparisons whose items are drawn at random, 0 to 1;
            the others are between items that are close. Only for more than 10 items.
    """

    refused = frozenset({"responses_per_datapoint", "private_metadata"})

    type: Literal["ranking"] = "ranking"
    datapoints: Annotated[list[list[str]], Field(min_length=1)]
    comparison_budget_per_ranking: Annotated[int, Field(ge=1)]
    responses_per_comparison: Annotated[int, Field(ge=1)] = 1
    random_comparisons_ratio: Annotated[float, Field(ge=0, le=1)] = 0.5

    @field_validator("datapoints")
    @classmethod
    def _check_rankings(cls, rankings: list[list[str]], info: ValidationInfo) -> list[list[str]]:
        data_type = info.data.get("data_type")
        raise_problems(problems_of(rankings, lambda items: _ranking_problem(items, data_type)))
        return rankings

    def points(self) -> list[Datapoint]:
        """The items of all rankings, in order; the contexts belong to their groups."""
        items = [(str(group), item) for group, own in enumerate(self.datapoints) for item in own]
        return [
            Datapoint(asset=item, data_type=self.data_type, group=group, sort_index=index)
            for index, (group, item) in enumerate(items)
        ]

    def groups(self) -> list[Group]:
        """One per ranking."""
        return [
            Group(
                name=str(index),
                context=self.contexts[index] if self.contexts else None,
                media_context=self.media_contexts[index] if self.media_contexts else None,
            )
            for index in range(len(self.datapoints))
        ]

    def workflow(self) -> Json:
        """The workflow on the wire."""
        if self._compares_all_pairs():
            pairs: Json = {"_t": "FullPermutationPairMaker"}
        else:
            pairs = {
                "_t": "OnlinePairMaker",
                "randomMatchesRatio": self.random_comparisons_ratio,
                "totalComparisonBudget": self.comparison_budget_per_ranking,
            }
        return {
            "_t": "GroupedRankingWorkflow",
            "criteria": self.instruction,
            "pairMakerConfig": pairs,
            "rankingConfig": {
                "_t": "BradleyTerryRankingConfig",
                "startingScore": _STARTING_SCORE,
            },
        }

    def referee(self) -> Json:
        """Answers per comparison; of few items, the budget is spread over all pairs."""
        votes = self.responses_per_comparison
        if self._compares_all_pairs():
            items = self._largest()
            votes *= max(1, self.comparison_budget_per_ranking // (items * (items - 1) // 2))
        return {"_t": "NaiveReferee", "totalVotes": votes}

    def _largest(self) -> int:
        return max(len(items) for items in self.datapoints)

    def _compares_all_pairs(self) -> bool:
        return self._largest() <= _ALL_PAIRS


def _ranking_problem(items: list[str], data_type: str | None) -> str | None:
    if len(items) < 2:
        return f"has {len(items)} item(s); a ranking needs two"
    if len(set(items)) != len(items):
        return "has the same item twice"
    return next((found for item in items if (found := item_problem(item, data_type))), None)
