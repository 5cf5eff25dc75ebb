"""The demo's own pages: its pictures with their reports, one click that strips, ten questions.

An application of its own beside the service, under ``/demo``, which only ``assay demo`` puts there; the
service's gate and table of routes know nothing of it. Works without JavaScript.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, redirect, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response as AnyResponse

from authn.core.errors import NotFound
from authn.core.evidence import Question
from authn.core.likeness import Viewer
from authn.core.media import media_of
from authn.report.html import content_security_policy
from authn.report.language import speaking, t
from authn.report.wording import AXIS_TITLES, BADGES, QUESTION_TITLES
from authn.service.services import Services
from authn.web import problems, screening, with_security_headers
from authn.web.rendering import asked_language, language, page, switch, templates

PREFIX = "/demo"
SHOW = "show.json"
SHOWN_AXES = ("credential", "integrity", "signer", "device", "time")
KINDS = ("photo", "edited", "generated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Showcase:
    """``folder`` is the demo's; ``SHOW`` in it says what is shown. ``strip`` takes metadata off a JPEG."""

    folder: Path
    strip: Callable[[bytes], bytes]

    def show(self) -> dict[str, Any]:
        """What the demo wrote. Raises ``NotFound`` before it did."""
        try:
            found: dict[str, Any] = json.loads((self.folder / SHOW).read_text(encoding="utf-8"))
        except FileNotFoundError as e:
            raise NotFound("the demo is still making its pictures; look again in a moment") from e
        return found


def beside(app: Flask, services: Services, showcase: Showcase) -> Callable[..., Any]:
    """The service with the demo's pages under ``PREFIX``."""
    return DispatcherMiddleware(app, {PREFIX: _demo(services, showcase, app)})


def _demo(services: Services, showcase: Showcase, app: Flask) -> Flask:
    demo = Flask("authn.web.showcase", static_folder=None)
    demo.config["TRUSTED_HOSTS"] = app.config["TRUSTED_HOSTS"]
    problems.register(demo)
    screening.register(demo, services.settings.public_url)
    demo.after_request(with_security_headers)
    for path, endpoint, view, method in (
        ("/", "home", partial(_home, showcase), "GET"),
        ("/strip", "strip", partial(_strip, services, showcase), "POST"),
        ("/stripped/<id_>", "stripped", partial(_stripped, services, showcase), "GET"),
        ("/quiz", "quiz", partial(_quiz, showcase), "GET"),
        ("/quiz", "answers", partial(_answers, showcase), "POST"),
    ):
        demo.add_url_rule(path, endpoint, view, methods=[method])
    return demo


def _home(showcase: Showcase) -> Response:
    show = showcase.show()
    pictures = [{**p, "thumb": _embedded(showcase, p["file"])} for p in show["shown"]]
    return _page("showcase.html.j2", pictures=pictures, signed=pictures[0], script="/static/drop.js")


def _strip(services: Services, showcase: Showcase) -> AnyResponse:
    """Take the metadata off the signed photo, and examine what is left."""
    signed = showcase.show()["shown"][0]
    data = showcase.strip((showcase.folder / "photos" / signed["file"]).read_bytes())
    media = media_of(data, "stripped.jpg")
    stored = services.examinations.examine(media, preview=True, viewer=Viewer())
    asked = asked_language()
    where = f"{PREFIX}/stripped/{stored.id}" + (f"?lang={asked}" if asked else "")
    return redirect(where, code=HTTPStatus.SEE_OTHER)


def _stripped(services: Services, showcase: Showcase, id_: str) -> Response:
    """Before and after, side by side, and what was found again."""
    signed = showcase.show()["shown"][0]
    before = json.loads((showcase.folder / signed["report"]).read_text(encoding="utf-8"))
    after = json.loads(services.verifications.get(id_, services.clock()).report)
    with speaking(language()):
        axes = [(AXIS_TITLES[a], _badge(before, a), _badge(after, a)) for a in _shown_axes()]
    return _page(
        "stripped.html.j2",
        axes=axes,
        found=after.get("recovered", []),
        before=signed["url"],
        after=f"/reports/{id_}",
        thumb=_embedded(showcase, signed["file"]),
    )


def _quiz(showcase: Showcase) -> Response:
    asked = [{**q, "thumb": _embedded(showcase, q["file"])} for q in showcase.show()["quiz"]]
    return _page("quiz.html.j2", asked=asked, kinds=[(kind, f"quiz.kind.{kind}") for kind in KINDS])


def _answers(showcase: Showcase) -> Response:
    with speaking(language()):
        rows = [_answer(showcase, q) for q in showcase.show()["quiz"]]
    return _page("answers.html.j2", rows=rows, right=sum(row["right"] for row in rows))


def _answer(showcase: Showcase, question: Mapping[str, str]) -> dict[str, Any]:
    report = json.loads((showcase.folder / question["report"]).read_text(encoding="utf-8"))
    guess = request.form.get(question["file"], "")
    return {
        **question,
        "thumb": _embedded(showcase, question["file"]),
        "is_a": t(f"quiz.kind.{question['kind']}"),
        "guess": t(f"quiz.kind.{guess}") if guess in KINDS else t("quiz.none"),
        "right": guess == question["kind"],
        "proof": _badge(report, _shown_axes()[0]),
        "warnings": _warnings(report),
    }


def _warnings(report: Mapping[str, Any]) -> list[str]:
    """What sources answered, in words: those that gave an answer to their own question."""
    return [
        t(f"answers.{d['outcome']}", source=d["id"], question=QUESTION_TITLES[Question(d["question"])])
        for d in report["heuristic"]["detectors"]
        if d["outcome"] in ("supports", "against") and d["part_of"] is None
    ]


def _shown_axes() -> list[Any]:
    return [axis for axis in AXIS_TITLES if axis.value in SHOWN_AXES]


def _badge(report: Mapping[str, Any], axis: Any) -> str:
    outcome = report["cryptographic"]["axes"][axis.value]["outcome"]
    return next(words for known, words in BADGES.items() if known.value == outcome)


def _embedded(showcase: Showcase, name: str) -> str:
    """A small picture as an address of its own bytes: the pages' policy lets in no other."""
    thumb = (showcase.folder / "thumbs" / name).with_suffix(".jpg").read_bytes()
    return f"data:image/jpeg;base64,{base64.b64encode(thumb).decode()}"


def _page(template: str, **values: Any) -> Response:
    policy = content_security_policy(script=True)
    asked = asked_language()
    with speaking(language()):
        text = (
            templates()
            .get_template(template)
            .render(
                policy=policy,
                home=f"{PREFIX}/",
                tongue=f"?lang={asked}" if asked else "",
                switch=switch(),
                **values,
            )
        )
    response = page(text, policy=policy, spoken=language())
    response.headers["Cache-Control"] = "no-store"
    return response
