"""What a job has collected: the result file, the typed results, single answers."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response as HttpResponse

from rapidata_core.sandbox import collection, lifecycle, results
from rapidata_core.sandbox.api import assets as asset_service
from rapidata_core.sandbox.api import datasets
from rapidata_core.sandbox.api import jobs as job_service
from rapidata_core.sandbox.api.call import Call, Endpoint, JsonObject
from rapidata_core.sandbox.clock import SECOND
from rapidata_core.sandbox.collection import Datapoint, Ranking, Response, Task
from rapidata_core.sandbox.lifecycle import Job
from rapidata_core.sandbox.listing import last, paging
from rapidata_core.sandbox.problems import Problem, invalid, missing
from rapidata_core.sandbox.tables import datapoints, jobs, preliminary_downloads
from rapidata_core.sandbox.tasks import RANKING, words_of

_MAX_RESPONSES = 1000
_PREPARATION = SECOND
"""How long a preliminary file takes."""

_STATES = ("Labeling", "Paused", "Incomplete", "Flagged", "Done", "None", "Rejected")


def download_results(call: Call) -> Any:
    """``GET /job/{id}/download-results``: the file itself, once the job is complete."""
    job = job_service.required(call)
    made_at = lifecycle.completed_at(job, call.now)
    state = lifecycle.state(job, call.now)
    if made_at is None and state == "Failed":
        raise Problem(404, "The job has no results", "The job failed; there are no results.")
    if made_at is None:
        raise Problem(409, "The results are not available yet.", f"The job is {state}.")
    file = _file(call, job, job_service.answered(call, job), made_at)
    disposition = {"Content-Disposition": f'attachment; filename="{job.id}.json"'}
    return HttpResponse(file, media_type="application/octet-stream", headers=disposition)


def start_preliminary_download(call: Call) -> Any:
    """``POST /job/{id}/preliminary-download``: a file of the answers so far."""
    return _start_download(call, job_service.required(call))


def start_pipeline_download(call: Call) -> Any:
    """``POST /pipeline/{id}/preliminary-download``: the same, by the id of the job's pipeline."""
    pipeline_id = call.path["pipeline_id"]
    row = call.store.find(jobs, pipeline_id=pipeline_id)
    if row is None:
        raise missing("Pipeline", pipeline_id)
    return _start_download(call, lifecycle.from_row(row))


def get_preliminary_download(call: Call) -> Any:
    """``GET …/preliminary-download/{id}``: 202 until the file is there."""
    download_id = call.path["download_id"]
    row = call.store.find(preliminary_downloads, id=download_id)
    job = None if row is None else job_service.find(call.store, row.job_id)
    if row is None or job is None or call.path.get("job_id", job.id) != job.id:
        raise missing("Preliminary download", download_id)
    if call.now < row.created_at + _PREPARATION:
        return HttpResponse(status_code=202)
    return HttpResponse(
        _file(call, job, row.answered, row.created_at), media_type="application/json"
    )


def get_results(call: Call) -> Any:
    """``GET /job/{id}/results``: typed, a page of datapoints, or of rankings."""
    job = job_service.required(call)
    task = job_service.task_of(call.store, job)
    number, size = paging(call.query)
    counts = collection.counts_of(task.stops, job_service.answered(call, job))
    wanted = _wanted_states(call)
    places = [
        place
        for place, count in enumerate(counts)
        if not wanted or _unit_state(call, job, count, task.stops[place]) in wanted
    ]
    items = [
        _unit(call, job, task, place, counts[place])
        for place in places[(number - 1) * size : number * size]
    ]
    kind = "GroupedRankingResults" if task.workflow.type == RANKING else "RapidResults"
    page: JsonObject = {"_t": kind, "total": len(places), "page": number, "pageSize": size}
    return page | {"items": items}


def list_responses(call: Call) -> Any:
    """``GET /job/{id}/responses``: the answers so far, newest first by default."""
    job = job_service.required(call)
    limit = _whole(call, "limit") or 100
    if limit > _MAX_RESPONSES:
        raise invalid({"limit": [f"limit is at most {_MAX_RESPONSES}."]})
    oldest_first = (last(call.query, "sort") or "Desc").lower().startswith("asc")
    # The cursor is an answer's number, so it stays where it is while new answers arrive.
    cursor = _whole(call, "cursor")
    task, answered = job_service.task_of(call.store, job), job_service.answered(call, job)
    arrived = call.store.remembered(
        "responses", (job.id, answered), lambda: collection.in_order(task, answered), limit=2
    )
    if oldest_first:
        start = 0 if cursor is None else cursor + 1
        numbers = range(start, len(arrived))
    else:
        end = len(arrived) if cursor is None else min(cursor, len(arrived))
        numbers = range(end - 1, -1, -1)
    chosen = numbers[:limit]
    return {
        "responses": [_response(job, task, n, *arrived[n]) for n in chosen],
        "nextCursor": str(chosen[-1]) if len(numbers) > limit else None,
    }


def list_datapoints(call: Call) -> Any:
    """``GET /job/{id}/datapoints``: those that the job asks about."""
    job = job_service.required(call)
    columns = datapoints.c
    page = datasets.datapoints_page(
        call, columns.dataset_id == job.dataset_id, columns.seq <= job.last_datapoint
    )
    dataset = datasets.find(call.store, job.dataset_id)
    assert dataset is not None
    return page | {"schema": dataset.segment_schema}


def get_sides(call: Call) -> Any:
    """``GET /job/{id}/ab-summary``: how many comparisons each side won."""
    job = job_service.required(call)
    task = job_service.task_of(call.store, job)
    if task.workflow.type != "Compare":
        raise Problem(404, "The job has no two sides", "It is not a comparison.")
    weighted = (last(call.query, "useUserScore") or "").lower() == "true"
    won = results.winners(task, job_service.answered(call, job), weighted=weighted)
    sides = task.workflow.sides or ("A", "B")
    return {
        "winCounter": {name: won.count(side) for side, name in enumerate(sides)},
        "allTargetGroupsCompleted": lifecycle.completed_at(job, call.now) is not None,
        "sideOrder": list(sides),
    }


def _file(call: Call, job: Job, answered: int, made_at: int) -> bytes:
    """The bytes of a result file, kept because clients like to ask for it again."""

    def make() -> bytes:
        task = job_service.task_of(call.store, job)
        return results.result_file(task, job.name, answered, made_at)

    return call.store.remembered("file", (job.id, job.name, answered, made_at), make)


def _start_download(call: Call, job: Job) -> JsonObject:
    download_id = call.store.next_id("download")
    call.store.add(
        preliminary_downloads,
        id=download_id,
        job_id=job.id,
        answered=job_service.answered(call, job),
        created_at=call.now,
    )
    return {"downloadId": download_id}


def _unit(call: Call, job: Job, task: Task, place: int, count: int) -> JsonObject:
    unit, answers = task.units[place], task.responses_of(place, count)
    state = _unit_state(call, job, count, task.stops[place])
    if isinstance(unit, Ranking):
        return _ranking(call, job, task, place, unit, answers) | {"state": state}
    context_asset = unit.context_asset
    return {
        "rapidId": _rapid_id(job, place),
        "asset": asset_service.shown(call.store, unit.asset),
        "responses": [
            _response(job, task, turn * len(task.units) + place, place, answer)
            for turn, answer in enumerate(answers)
        ],
        "totalResponseCount": count,
        "state": state,
        "payload": _payload(task, unit),
        "context": unit.context,
        "contextAsset": None
        if context_asset is None
        else asset_service.shown(call.store, context_asset),
        "decisiveness": None,
        "aggregation": _aggregation(task, unit, answers),
    }


def _ranking(
    call: Call, job: Job, task: Task, place: int, group: Ranking, answers: list[Response]
) -> JsonObject:
    scores = results.scores_of(task, group, answers)
    points = [
        {
            "datapointId": point.id,
            "asset": asset_service.shown(call.store, point.asset),
            "elo": scores[point.id],
        }
        for point in group.datapoints
    ]
    maker = task.workflow.pair_maker
    information: JsonObject = {"_t": "FullPermutationPairMakerInformation"}
    if maker is not None and maker.budget is not None:
        information = {
            "_t": "OnlinePairMakerInformation",
            "randomMatchesRatio": maker.random_ratio,
            "totalComparisonBudget": maker.budget,
            "currentComparisonBudget": len(answers) // max(1, task.referee.votes),
        }
    return {
        "id": _rapid_id(job, place),
        "name": group.name,
        "pairMakerInformation": information,
        "datapoints": points,
        "totalVotes": len(answers),
    }


def _unit_state(call: Call, job: Job, count: int, stop: int) -> str:
    if count >= stop:
        return "Done"
    return "Paused" if lifecycle.labeling_state(job, call.now) == "Paused" else "Labeling"


def _wanted_states(call: Call) -> set[str]:
    states = {text for key, text in call.query if key == "states"}
    unknown = states.difference(_STATES)
    if unknown:
        raise invalid({"states": [f"{min(unknown)} is not one of {', '.join(_STATES)}."]})
    return states


def _payload(task: Task, datapoint: Datapoint) -> JsonObject:
    """The question, as the platform's typed results repeat it."""
    workflow = task.workflow
    asked = workflow.instruction
    match workflow.type:
        case "Compare":
            return {"_t": "ComparePayload", "criteria": asked}
        case "Classify":
            options = task.options_of(datapoint)
            categories = [{"label": option, "value": option} for option in options]
            return {"_t": "ClassifyPayload", "categories": categories, "title": asked}
        case "Transcription":
            words = words_of(datapoint.transcription or "")
            listed = [{"word": word, "wordIndex": index} for index, word in enumerate(words)]
            return {"_t": "TranscriptionPayload", "title": asked, "transcription": listed}
        case "FreeText":
            return {"_t": "FreeTextPayload", "question": asked}
        case kind:
            return {"_t": f"{kind}Payload", "target": asked}


def _aggregation(task: Task, datapoint: Datapoint, answers: list[Response]) -> JsonObject | None:
    member = {"Compare": "winnerTallies", "Classify": "categoryTallies"}.get(task.workflow.type)
    if member is None:
        return None
    tallies: dict[str, dict[str, float]] = {
        option: {"count": 0, "userScoreSum": 0.0} for option in task.options_of(datapoint)
    }
    for answer in answers:
        tally = tallies.setdefault(answer.option, {"count": 0, "userScoreSum": 0.0})
        tally["count"] += 1
        tally["userScoreSum"] = round(tally["userScoreSum"] + answer.person.score, 4)
    return {"_t": f"{task.workflow.type}Aggregation", member: tallies}


def _response(job: Job, task: Task, number: int, place: int, response: Response) -> JsonObject:
    person = response.person
    demographics = {"age": person.age, "gender": person.gender, "occupation": person.occupation}
    result = response.answer.as_json() | {"rapidId": _rapid_id(job, place, response)}
    if result["_t"] == "CompareResult":
        result["winners"] = _names_of_winners(task, place, response)
    return {
        "id": f"{job.id}_response_{number}",
        "userId": person.id,
        "country": person.country,
        "language": person.language,
        **demographics,
        "result": result,
        "userScore": person.score,
        "userScores": {"global": person.score},
        "demographicInformation": demographics,
    }


def _names_of_winners(task: Task, place: int, response: Response) -> list[str]:
    """What results call the winning items: one, both or none."""
    if response.option not in collection.UNSURE:
        return [response.option]
    if response.option == collection.UNSURE[1]:
        return []
    unit = task.units[place]
    if isinstance(unit, Ranking):
        return [unit.names[point] for point in response.pair or ()]
    return list(task.options_of(unit))


def _rapid_id(job: Job, place: int, response: Response | None = None) -> str:
    pair: tuple[str, ...] = () if response is None else response.pair or ()
    return "_".join((job.id, str(place), *pair))


def _whole(call: Call, name: str) -> int | None:
    text = last(call.query, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise invalid({name: [f"{text!r} is not a whole number."]})
    return int(text)


ENDPOINTS = (
    Endpoint("GET", "/job/{job_id}/download-results", download_results),
    Endpoint("GET", "/job/{job_id}/results", get_results),
    Endpoint("GET", "/job/{job_id}/responses", list_responses),
    Endpoint("GET", "/job/{job_id}/datapoints", list_datapoints),
    Endpoint("GET", "/job/{job_id}/ab-summary", get_sides),
    Endpoint("POST", "/job/{job_id}/preliminary-download", start_preliminary_download),
    Endpoint("GET", "/job/{job_id}/preliminary-download/{download_id}", get_preliminary_download),
    Endpoint("POST", "/pipeline/{pipeline_id}/preliminary-download", start_pipeline_download),
    Endpoint("GET", "/pipeline/preliminary-download/{download_id}", get_preliminary_download),
)
