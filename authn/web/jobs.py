"""Jobs: examinations that were accepted and are done later (docs/http-api.md)."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import Blueprint, Response, url_for

from authn.core.instants import instant
from authn.core.media import Media
from authn.core.plain import Json
from authn.jobs.table import Job, State
from authn.service.examinations import Asked
from authn.store.engine import Also
from authn.web.answers import asking, conditional, json_answer, json_text, services, uncached
from authn.web.preferences import Preferences
from authn.web.problems import problem, problem_object

MAX_RETRY_AFTER_S = 60
STATES = {State.FAILED: "not_examined"}

jobs = Blueprint("jobs", __name__, url_prefix="/v1")
jobs.after_request(uncached)


@jobs.get("/jobs/<job_id>")
def status(job_id: str) -> Response:
    """Where a job is; when it has ended, where its report lies, or why there is none."""
    found = services().deferred.find(job_id, asking())
    return conditional(_with_retry(json_answer(job_view(found)), found))


@jobs.delete("/jobs/<job_id>")
def cancel(job_id: str) -> Response:
    """Stop a job, and delete its upload; a report that there is stays."""
    services().deferred.delete(job_id, asking())
    return Response(status=HTTPStatus.NO_CONTENT)


def accepted(media: Media, asked: Asked, wishes: Preferences, also: Also | None) -> Response:
    """Keep an upload for a job; the report where it is there soon enough, else 202 and where to ask."""
    deferred = services().deferred
    job = deferred.accept(media, asked, also=also)
    if wishes.wait_s:
        job = deferred.wait(job, wishes.wait_s)
    response = (
        _ended(job) if not job.open else _with_retry(json_answer(job_view(job), HTTPStatus.ACCEPTED), job)
    )
    response.headers["Preference-Applied"] = wishes.applied
    return response


def job_view(job: Job) -> dict[str, Json]:
    """A job as its owner may see it."""
    view: dict[str, Json] = {
        "id": job.id,
        "state": STATES.get(State(job.state), job.state),
        "progress": {
            "attempts": job.attempts,
            "attempts_allowed": services().settings.job_attempts,
            "waiting_before": services().deferred.before(job) if job.state == State.QUEUED else 0,
        },
        "created_at": instant(job.created_at),
        "started_at": None if job.started_at is None else instant(job.started_at),
        "finished_at": None if job.finished_at is None else instant(job.finished_at),
        "expires_at": instant(job.expires_at),
        "batch_id": job.batch_id,
        "verification": None,
    }
    if job.state == State.DONE:
        view["verification"] = url_for("api.verification", verification_id=job.id)
    view["problem"] = problem_of(job)
    return view


def problem_of(job: Job) -> Json:
    """Why it was not examined, as an answer would have said; None where it was, or may still be."""
    return None if job.problem is None else problem_object(**json.loads(job.problem))


def _ended(job: Job) -> Response:
    """As a request that waited for the examination itself would have been answered."""
    if job.problem is not None:
        return problem(**json.loads(job.problem))
    response = json_text(services().verifications.get(job.id, services().clock()).report)
    response.headers["Location"] = url_for("api.verification", verification_id=job.id)
    return response


def _with_retry(response: Response, job: Job) -> Response:
    response.headers["Location"] = url_for("jobs.status", job_id=job.id)
    if job.open:
        before = services().deferred.before(job) if job.state == State.QUEUED else 0
        response.headers["Retry-After"] = str(min(1 + before, MAX_RETRY_AFTER_S))
    return response
