"""Pictures on pages in a real browser, and what a screenshot of them is."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from tests.doubles.browsers import chromium

PAGES = {
    "post, light": ("#ffffff", "#222222"),
    "post, dark": ("#15202b", "#eeeeee"),
    "gallery": ("#0e0e0e", "#cccccc"),
}
POST = """<body style="margin:0;background:{ground};color:{ink};font:16px sans-serif">
<div style="height:56px;border-bottom:1px solid #8884;padding:16px;box-sizing:border-box">Home &nbsp; Search
&nbsp; Messages</div><div style="width:600px;margin:24px auto"><p><b>Somebody</b> @somebody, 2 h</p>
<p>Look at this. I could hardly believe it when I walked past this morning.</p>
<img src="{src}" style="width:100%;max-height:560px;object-fit:contain;border-radius:12px">
<p>12 answers, 48 likes</p></div></body>"""
GALLERY = """<body style="margin:0;background:{ground};color:{ink};font:14px sans-serif">
<div style="position:absolute;top:12px;left:16px">1 / 12</div>
<div style="position:absolute;top:12px;right:16px">Close</div>
<div style="height:100vh;display:flex;align-items:center;justify-content:center">
<img src="{src}" style="max-width:86%;max-height:80%"></div></body>"""


class Screens:
    """``edits``: a picture, on a page of each kind, as a screenshot of the whole window (PNG)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size

    def __enter__(self) -> Self:
        self._browser = chromium()
        self._page = self._browser.__enter__().new_page(
            viewport={"width": self._size[0], "height": self._size[1]}
        )
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._browser.__exit__(None, None, None)

    @property
    def edits(self) -> dict[str, Callable[[Image.Image, np.random.Generator], bytes]]:
        return {f"screenshot, {name}": self._edit(name) for name in PAGES}

    def _edit(self, name: str) -> Callable[[Image.Image, np.random.Generator], bytes]:
        ground, ink = PAGES[name]
        page = GALLERY if name == "gallery" else POST

        def edit(image: Image.Image, _rng: np.random.Generator) -> bytes:
            out = io.BytesIO()
            image.convert("RGB").save(out, "JPEG", quality=90)
            src = f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
            self._page.set_content(page.format(ground=ground, ink=ink, src=src))
            self._page.wait_for_function("document.images[0].complete")
            return self._page.screenshot()

        return edit
