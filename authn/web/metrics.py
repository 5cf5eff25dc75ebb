"""What is measured of a running service, under the names that its field uses, and ``/metrics``.

Counted per route of the router, never per address: an address may hold the secret id of a report. Nothing
here says who asked, or what for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any, cast

from flask import Blueprint, Flask, Response, current_app, g, request

from authn.core import errors
from authn.core.errors import AuthnError
from authn.service.access.scopes import ROUTES
from authn.service.gauges import GAUGES, gauges
from authn.service.services import Services
from authn.web.board import Board, Family, Kind, Sample, exposition
from authn.web.lanes import Lane

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNMATCHED = "none"
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STATUSES = [
    "200",
    "201",
    "202",
    "204",
    "206",
    "301",
    "302",
    "303",
    "304",
    "308",
    "400",
    "401",
    "403",
    "404",
    "405",
    "406",
    "408",
    "409",
    "410",
    "412",
    "413",
    "415",
    "416",
    "422",
    "425",
    "428",
    "429",
    "431",
    "500",
    "501",
    "503",
    "507",
]
LANES = ("health", "read", "act", "upload")
POOLS = ("with_heuristics", "without_heuristics")

REQUESTS = "assay_http_requests_total"
DURATION = "assay_http_request_duration_seconds"
REFUSALS = "assay_refusals_total"

metrics = Blueprint("metrics", __name__)


def families() -> tuple[Family, ...]:
    """Everything that processes count for themselves."""
    routes = (*ROUTES, UNMATCHED)
    return (
        Family(
            name=REQUESTS,
            kind=Kind.COUNTER,
            help="Requests that were answered, by route and status.",
            labels=("route", "code"),
            series=[(route, status) for route in routes for status in STATUSES],
        ),
        Family(
            name=DURATION,
            kind=Kind.HISTOGRAM,
            help="Time from when a thread took a whole request until its answer was made.",
            labels=("route",),
            series=[(route,) for route in routes],
            bounds=BOUNDS_S,
        ),
        Family(
            name=REFUSALS,
            kind=Kind.COUNTER,
            help="Requests that were refused, by the code of docs/codes.md.",
            labels=("code",),
            series=[(code,) for code in codes()],
        ),
        *_gauge_families(),
    )


def _gauge_families() -> Iterator[Family]:
    lanes: Any = {"labels": ("lane",), "series": [(lane,) for lane in LANES]}
    for name, help_, more in (
        ("assay_workers", "Worker processes that serve.", {}),
        ("assay_connections", "Open connections.", {}),
        ("assay_request_body_bytes", "Bytes of bodies that lie in memory.", {}),
        ("assay_lane_threads", "Threads for one kind of request.", lanes),
        ("assay_lane_busy_threads", "Of these, threads that serve a request.", lanes),
        ("assay_lane_waiting_requests", "Whole requests that wait for a thread.", lanes),
        ("assay_examiners", "Confined examiners.", {"labels": ("pool",), "series": [(p,) for p in POOLS]}),
        ("assay_examiners_busy", "Of these, examiners that have a file.", {
            "labels": ("pool",), "series": [(p,) for p in POOLS]}),
    ):  # fmt: skip
        yield Family(name=name, kind=Kind.GAUGE, help=help_, **more)


def codes() -> tuple[str, ...]:
    """Every code that a refusal can bear."""
    from authn.web.problems import HTTP_CODES, OTHER_HTTP_CODE

    found = {OTHER_HTTP_CODE, *HTTP_CODES.values()}
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, AuthnError):
            found.add(value.code)
    return tuple(sorted(found))


def register(app: Flask, board: Board) -> None:
    """Count every request of ``app``. After ``authn.web.logs.register``, which notes when one began."""
    app.extensions["assay.board"] = board

    def count(response: Response) -> Response:
        route = request.endpoint or UNMATCHED
        board.add(REQUESTS, route, str(response.status_code))
        board.observe(DURATION, route, value=perf_counter() - g.get("begun", perf_counter()))
        if response.status_code >= 400 and (code := g.get("problem_code")):
            board.add(REFUSALS, code)
        return response

    app.after_request(count)


@metrics.get("/metrics")
def show() -> Response:
    """Everything that is measured, for Prometheus; needs the scope metrics:read under every setting."""
    services = cast(Services, current_app.extensions["assay"])
    return Response(text(services, current_app.extensions["assay.board"]), content_type=CONTENT_TYPE)


def text(services: Services, board: Board) -> str:
    """The whole answer: what processes counted, and how the home is now."""
    now = (
        Sample(
            family=Family(name=one.name, kind=Kind.GAUGE, help=GAUGES[one.name], labels=tuple(one.labels)),
            labels=tuple(one.labels.values()),
            values=(one.value,),
        )
        for one in gauges(services)
    )
    return exposition(board.samples(), now)


def alone(services: Services, board: Board) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application that has nothing but ``/metrics`` and asks for no credentials: for a bind of its own
    (``metrics_bind``)."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = environ.get("PATH_INFO") == "/metrics" and environ.get("REQUEST_METHOD") in ("GET", "HEAD")
        body = text(services, board).encode() if found else b"here is /metrics and nothing else\n"
        kind = CONTENT_TYPE if found else "text/plain; charset=utf-8"
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response("200 OK" if found else "404 Not Found", headers)
        return [body]

    return application


def sample_process(
    board: Board, services: Services, lanes: Mapping[str, Lane], connections: int, held_bytes: int
) -> None:
    """How this worker is now."""
    board.set("assay_workers", to=1)
    board.set("assay_connections", to=connections)
    board.set("assay_request_body_bytes", to=held_bytes)
    for name, lane in lanes.items():
        board.set("assay_lane_threads", name, to=len(lane.threads))
        board.set("assay_lane_busy_threads", name, to=lane.active_count)
        board.set("assay_lane_waiting_requests", name, to=len(lane.queue))
    for name, (size, busy) in services.examinations.occupied().items():
        board.set("assay_examiners", name, to=size)
        board.set("assay_examiners_busy", name, to=busy)
