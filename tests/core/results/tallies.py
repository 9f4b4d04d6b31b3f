"""Tables by hand, with the columns that metrics read."""

import pandas


def vote(option, count, user_score=0.0):
    return {"option": option, "count": count, "user_score": user_score}


def label(votes, /, *, items=("x.jpg",), datapoint=0, job_id="j", **changes):
    """A row of the labels: ``votes`` has the number of votes by option."""
    total = sum(votes.values())
    best = [option for option, n in votes.items() if n and n == max(votes.values())]
    winner = best[0] if len(best) == 1 else None
    return {
        "job_id": job_id,
        "datapoint": datapoint,
        "datapoint_id": None,
        "items": list(items),
        "label": winner,
        "label_index": items.index(winner) if winner in items else None,
        "responses": total,
        "votes": [vote(option, n) for option, n in votes.items()],
        "is_tie": len(best) > 1,
        "truth": None,
        **changes,
    }


def labels(*rows):
    """The labels of rows, or of numbers of votes by option."""
    made = [
        row if "votes" in row else label(row, datapoint=place) for place, row in enumerate(rows)
    ]
    columns = list(label({}))
    return pandas.DataFrame(made, columns=columns).astype(
        {
            "job_id": "string",
            "datapoint": "int64",
            "datapoint_id": "string",
            "label": "string",
            "label_index": "Int64",
            "responses": "int64",
            "is_tie": "bool",
            "truth": "string",
        }
    )


def responses(*rows):
    """The responses of ``(datapoint, answer)``, or of ``(datapoint, answer, further columns)``."""
    made = [
        {
            "job_id": "j",
            "datapoint": datapoint,
            "items": ["x.jpg"],
            "answer": answer,
            "answer_index": None,
            "compared": None,
            "labeler": None,
            "user_score": 0.5,
            **(rest[0] if rest else {}),
        }
        for datapoint, answer, *rest in rows
    ]
    names = [
        "job_id",
        "datapoint",
        "items",
        "answer",
        "answer_index",
        "compared",
        "labeler",
        "user_score",
    ]
    return pandas.DataFrame(made, columns=names).astype(
        {
            "job_id": "string",
            "datapoint": "int64",
            "answer_index": "Int64",
            "labeler": "string",
            "user_score": "float64",
        }
    )
