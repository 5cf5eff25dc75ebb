"""Views of an uploaded picture: a page for people, and one picture for programs. Nothing is kept."""

from __future__ import annotations

import base64

from flask import Blueprint, Response, request, url_for

from authn.core.errors import BadRequest, UnreadableMedia
from authn.core.views import NAMES, DrawnView, ViewsAsked
from authn.core.visible import visible
from authn.report.html import content_security_policy
from authn.report.language import speaking, t, told
from authn.web.answers import services, uncached
from authn.web.pages import pages
from authn.web.rendering import asked_language, language, page, templates
from authn.web.uploads import read_media

views = Blueprint("views", __name__)
views.after_request(uncached)


@pages.post("/views")
def views_page() -> Response:
    """Every view of one uploaded file on one page, each beside that of an ordinary photo."""
    media = read_media(request, services().settings, fields=("as_of",), sidecar=True)
    asked = ViewsAsked(names=NAMES, language=language(), small=True)
    drawn = services().examinations.views_of(media, asked)
    with speaking(language()):
        text = (
            templates()
            .get_template("views.html.j2")
            .render(
                home=url_for("pages.home", lang=asked_language()),
                name=visible(media.name, 120),
                views=[_shown(d) for d in drawn],
                policy=content_security_policy(),
            )
        )
    return page(text, spoken=language())


@views.post("/v1/views/<name>")
def draw(name: str) -> Response:
    """One view of one uploaded file, as PNG."""
    if name not in NAMES:
        raise BadRequest(f"no view has the name {name[:40]!r}; there are {', '.join(NAMES)}")
    media = read_media(request, services().settings)
    asked = ViewsAsked(names=(name,), language=language())
    (drawn,) = services().examinations.views_of(media, asked)
    if drawn.picture is None:
        raise UnreadableMedia(f"{media.name}: {drawn.why}")
    return Response(drawn.picture, content_type="image/png")


def _shown(drawn: DrawnView) -> dict[str, str | None]:
    picture = None if drawn.picture is None else base64.b64encode(drawn.picture).decode("ascii")
    words = {part: t(f"view.{drawn.name}.{part}") for part in ("title", "is", "normal")}
    return {"name": drawn.name, "picture": picture, "why": told(drawn.why), **words}
