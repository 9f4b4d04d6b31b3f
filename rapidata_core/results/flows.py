"""The results of a flow's batch, in the form of a job's: with the same tables."""

from __future__ import annotations

from rapidata_core.results.parse import RapidataResults
from rapidata_core.types import ClassifyFlowItemResult, FlowItemResult


def flow_results(result: FlowItemResult | ClassifyFlowItemResult) -> RapidataResults:
    """What a batch has found as results with tables. Single answers are in no flow's results.

    Args:
        result: What ``flow_item.get_results()`` gave.

    Returns:
        Of a ranking flow, a ranking with the scores of all items. Of a classify flow, a datapoint
        for each item.
    """
    if isinstance(result, FlowItemResult):
        ranking = {"elo": result.datapoints, "totalVotes": result.total_votes}
        return RapidataResults(info={"type": "Ranking"}, results=[ranking])
    entries = [
        {"identifier": name, "aggregatedResults": found.distribution}
        for name, found in result.datapoints.items()
    ]
    return RapidataResults(info={"type": "Classification"}, results=entries)
