"""Batches: many files in one request, one job each (docs/http-api.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, request, stream_with_context, url_for
from werkzeug.datastructures import CombinedMultiDict

from authn.core.instants import instant
from authn.core.plain import Json
from authn.jobs.table import State
from authn.service.batches import Batch, Result
from authn.service.examinations import Asked
from authn.store.engine import Also
from authn.web.answers import asking, conditional, json_answer, services, uncached
from authn.web.asked import QUESTIONS, asked_for
from authn.web.batch_uploads import Sent, read_many
from authn.web.jobs import STATES, problem_of
from authn.web.repeats import fingerprint, once

JSONL = "application/jsonl"
RETRY_AFTER_S = 5

batches = Blueprint("batches", __name__, url_prefix="/v1/batches")
batches.after_request(uncached)


@batches.post("")
def create() -> Response:
    """Keep every file for a job of its own; 202 and where to ask about all of them."""
    asked_for(request.args)  # before the body is taken apart
    sent = read_many(request, services().settings, QUESTIONS)
    asked = asked_for(CombinedMultiDict([request.args, request.form]))
    return once(fingerprint(sent.same, asked), partial(_accepted, sent, asked))


@batches.get("/<batch_id>")
def status(batch_id: str) -> Response:
    """How many of its files are where."""
    return conditional(_answer(services().batches.find(batch_id, asking())))


@batches.get("/<batch_id>/results")
def results(batch_id: str) -> Response:
    """What became of each file, one JSON object a line; those that are not done yet too."""
    batch = services().batches.find(batch_id, asking())
    lines = stream_with_context(_lines(services().batches.results(batch)))
    return Response(lines, content_type=JSONL)


@batches.delete("/<batch_id>")
def remove(batch_id: str) -> Response:
    """Stop what is not done yet, and forget the batch; reports stay."""
    services().batches.delete(batch_id, asking())
    return Response(status=HTTPStatus.NO_CONTENT)


def _accepted(sent: Sent, asked: Asked, also: Also | None) -> Response:
    return _answer(services().batches.accept(sent.files, asked, also), HTTPStatus.ACCEPTED)


def _answer(batch: Batch, code: int = HTTPStatus.OK) -> Response:
    found = services().batches.counts(batch)
    counts: dict[str, Json] = {STATES.get(state, state.value): count for state, count in found.items()}
    is_done = found[State.QUEUED] + found[State.RUNNING] == 0
    view: dict[str, Json] = {
        "id": batch.id,
        "state": "done" if is_done else "running",
        "total": batch.total,
        "counts": {**counts, "deleted": batch.total - sum(found.values())},
        "created_at": instant(batch.created_at),
        "expires_at": instant(batch.expires_at),
        "results": url_for("batches.results", batch_id=batch.id),
    }
    response = json_answer(view, code)
    response.headers["Location"] = url_for("batches.status", batch_id=batch.id)
    if not is_done:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _lines(found: Iterator[Result]) -> Iterator[str]:
    for result in found:
        line: dict[str, Json] = {
            "name": result.name,
            "job": url_for("jobs.status", job_id=result.job.id),
            "state": STATES.get(State(result.job.state), result.job.state),
            "verification": None,
            "problem": problem_of(result.job),
        }
        if result.report is not None:
            line["verification"] = url_for("api.verification", verification_id=result.job.id)
        # The report is JSON text already, and stays what it was when it was made.
        yield f'{json.dumps(line)[:-1]}, "report": {result.report or "null"}}}\n'
