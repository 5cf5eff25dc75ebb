"""Webhooks: who is told when an examination ends (docs/http-api.md)."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, request

from authn.core.instants import instant
from authn.core.plain import Json
from authn.service.webhooks import Webhook
from authn.web.answers import asking, json_answer, services, uncached
from authn.web.uploads import read_json

webhooks = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks")
webhooks.after_request(uncached)


@webhooks.post("")
def create() -> Response:
    """Name an address; the secret that its notices are signed with is shown this once."""
    (url,) = read_json(request, ("url",))
    made = services().webhooks.create(_owner(), url)
    return json_answer({**_view(made), "secret": services().webhooks.secret(made)}, HTTPStatus.CREATED)


@webhooks.get("")
def listed() -> Response:
    """Those of the one who asks."""
    return json_answer({"webhooks": [_view(one) for one in services().webhooks.of(_owner())]})


@webhooks.delete("/<webhook_id>")
def remove(webhook_id: str) -> Response:
    """Send it nothing more, what waits included."""
    services().webhooks.delete(webhook_id, _owner())
    return Response(status=HTTPStatus.NO_CONTENT)


@webhooks.post("/<webhook_id>/test")
def test(webhook_id: str) -> Response:
    """Send it a notice that means nothing."""
    services().webhooks.test(webhook_id, _owner())
    return Response(status=HTTPStatus.ACCEPTED)


def _owner() -> str:
    return asking() or ""  # the gate lets nobody in here without credentials


def _view(one: Webhook) -> dict[str, Json]:
    return {
        "id": one.id,
        "url": one.url,
        "created_at": instant(one.created_at),
        "failures": one.failures,
        "quiet_until": None if one.quiet_until is None else instant(one.quiet_until),
    }
