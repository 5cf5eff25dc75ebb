"""The page that checks receipts in a browser: as strict as the library, from disk, asking nobody."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from authn.core.evidence import AxisEvidence, Outcome
from authn.provenance.logs import LogTrust, log_axis
from authn.provenance.own import read_own
from authn.report.receipt_page import render_receipt_page
from authn.report.wording import AXIS_WORDS, BADGES
from authn.tlog.format.entry import EntryKind
from authn.tlog.format.note import SigningKey
from tests.doubles.browsers import PHONE, chromium, sideways, visiting
from tests.doubles.logs import KEY
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.receipts import receipt_for, receipt_of, witness
from tests.doubles.signed import media, signed_photo, stamped_photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]

A, B, PQ = witness("a.example/w"), witness("b.example/w"), witness("pq.example/w", post_quantum=True)
OWN = replace(A, name="log.test/w", key=KEY.key).verifier
KEYS = f"{KEY.verifier}\n{A.verifier}\n{B.verifier}\n"
OUTCOMES = {badge: outcome for outcome, badge in BADGES.items()}


@dataclass(frozen=True)
class Given:
    page: Page
    stamped: bytes

    def check(self, receipt: str, about: bytes | None, keys: str | None = None) -> str:
        """The badge of the result, or the sentence in its place."""
        if keys is not None:
            self.page.fill("#keys", keys)
        files = [{"name": "a.tlog-proof", "mimeType": "text/plain", "buffer": receipt.encode()}]
        if about is not None:
            files.append({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": about})
        self.page.set_input_files("#files", files)
        self.page.click("#go")
        self.page.wait_for_selector(
            "#result .badge, #progress:not(:text-is('Checking on this machine…')):not(:empty)"
        )
        badge = self.page.locator("#result .badge")
        return badge.inner_text() if badge.count() else self.page.locator("#progress").inner_text()

    def outcome(self, receipt: str, about: bytes | None, keys: str | None = None) -> Outcome | str:
        said = self.check(receipt, about, keys)
        return OUTCOMES.get(said, said)

    def shown(self) -> str:
        return self.page.locator("#result").inner_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def stamped() -> bytes:
    pki = TestPki()
    return stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("receipt") / "verify.html"
    path.write_text(render_receipt_page(KEYS), encoding="utf-8")
    return f"file://{path}"


@pytest.fixture
def given(browser: Browser, saved: str, stamped: bytes) -> Iterator[Given]:
    with visiting(browser) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda request: errors.append(request.url) if not request.url.startswith("file:") else None,
        )
        page.goto(saved)
        yield Given(page, stamped)
        assert errors == []


def library(receipt: str, about: bytes, *, quorum: int = 1) -> AxisEvidence:
    trust = LogTrust(logs=(KEY.verifier,), witnesses=(A.verifier, B.verifier), quorum=quorum)
    return log_axis(read_own(media(about)), receipt, trust)


def test_file_receipt_and_keys_are_enough_from_disk(given: Given) -> None:
    assert given.outcome(receipt_of(given.stamped, [A]), given.stamped) is Outcome.ESTABLISHED
    text = given.shown()
    words = AXIS_WORDS[library("", given.stamped).axis, Outcome.ESTABLISHED]
    assert words.answer in text
    assert words.not_proven in text
    assert "saw this log at 2026-09-21T" in text
    assert "Witnesses in your list saw the same log: a.example/w." in text
    label = given.page.locator("#result svg[role=img]").get_attribute("aria-label")
    assert label == "The path from the entry over 4 hashes to the root that the log signed."
    assert given.page.locator("#result svg circle.given").count() == 4


def test_the_german_page_tells_every_step_in_german(browser: Browser, stamped: bytes, tmp_path: Path) -> None:
    path = tmp_path / "quittung.html"
    path.write_text(render_receipt_page(KEYS, language="de"), encoding="utf-8")
    with visiting(browser) as page:
        page.goto(f"file://{path}")
        given = Given(page, stamped)
        given.check(receipt_of(stamped, [A]), stamped)
        text = given.shown()
        label = page.locator("#result svg[role=img]").get_attribute("aria-label")
        given.check(receipt_of(stamped, [A]).replace("index ", "index 0"), stamped)
        refused = given.shown()
    assert "Zeugen aus Ihrer Liste sahen dasselbe Protokoll: a.example/w." in text
    assert "sah dieses Protokoll am 2026-09-21T" in text
    assert label == "Der Weg vom Eintrag über 4 Hashwerte zu der Wurzel, die das Protokoll signiert hat."
    assert "der Index der Quittung ist keine Zahl" in refused
    assert not re.search(r"\b(the|entry|signed|hashes|witness)\b", f"{text} {refused}")


@pytest.mark.parametrize(
    ("index", "size"), [(0, 1), (0, 2), (6, 7), (3, 8), (255, 256), (256, 257), (130, 300)]
)
def test_trees_of_every_shape(given: Given, index: int, size: int) -> None:
    receipt = receipt_of(given.stamped, [A], index=index, size=size)
    assert given.outcome(receipt, given.stamped) is Outcome.ESTABLISHED


@pytest.mark.parametrize(
    ("keys", "signed", "enough"),
    [
        ("witness a {a}\nwitness b {b}\ngroup g 2 a b\nquorum g\n", "ab", True),
        ("witness a {a}\nwitness b {b}\ngroup g 2 a b\nquorum g\n", "a", False),
        ("witness a {a}\nwitness b {b}\ngroup g any a b\nquorum g\n", "b", True),
        ("witness a {a}\nwitness b {b}\nquorum a\n", "b", False),
        ("witness a {a}\nquorum none\n", "a", False),
    ],
    ids=["both", "one-of-two", "any", "the-other", "unasked"],
)
def test_a_policy_says_how_many_witnesses_are_enough(
    given: Given, keys: str, signed: str, enough: bool
) -> None:
    receipt = receipt_of(given.stamped, [w for n, w in (("a", A), ("b", B)) if n in signed])
    policy = f"log {KEY.verifier}\n" + keys.format(a=A.verifier, b=B.verifier)
    assert given.outcome(receipt, given.stamped, policy) is Outcome.ESTABLISHED
    assert ("Witnesses in your list saw the same log" in given.shown()) is enough
    assert ("Unwitnessed" in given.shown()) is not enough


def test_a_post_quantum_signature_is_named_and_counts_for_nothing(given: Given) -> None:
    keys = f"{KEY.verifier}\n{PQ.verifier}\n"
    assert given.outcome(receipt_of(given.stamped, [PQ]), given.stamped, keys) is Outcome.ESTABLISHED
    assert "ML-DSA-44) that is not checked here" in given.shown()
    assert "Unwitnessed" in given.shown()


def test_entries_that_are_no_captures_are_checked_with_their_record(given: Given) -> None:
    record = {"device_id": "däwn \u2028", "serial": None, "n": [1, True, {"b": 2, "a": ""}]}
    receipt = receipt_for(EntryKind.REVOCATION, record, [A])
    assert given.outcome(receipt, json.dumps(record).encode()) is Outcome.ESTABLISHED
    assert given.outcome(receipt, json.dumps({**record, "serial": "1"}).encode()) is Outcome.REFUTED
    assert given.outcome(receipt, given.stamped) is Outcome.NOT_EXAMINED


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/tiff", "image/avif"])
def test_other_containers_are_read_too(given: Given, media_type: str) -> None:
    signed = signed_in(media_type)
    assert given.outcome(receipt_of(signed, [A]), signed) is Outcome.ESTABLISHED


def signed_in(media_type: str) -> bytes:
    kind = media_type.partition("/")[2].upper()
    return signed_photo(TestPki().leaf(), data=photo(kind), media_type=media_type)


def mutations(receipt: str, other_key: SigningKey) -> Iterator[tuple[str, str]]:
    """Everything that a receipt is made of, changed: by name."""
    lines = receipt.split("\n")
    blank = lines.index("")
    for at, line in enumerate(lines):
        for place in sorted({0, len(line) // 2, len(line) - 2, len(line) - 1} & set(range(len(line)))):
            other = "A" if line[place] != "A" else "B"
            yield (
                f"line {at} place {place}",
                "\n".join([*lines[:at], line[:place] + other + line[place + 1 :], *lines[at + 1 :]]),
            )
        yield f"line {at} left out", "\n".join([*lines[:at], *lines[at + 1 :]])
        yield f"line {at} doubled", "\n".join([*lines[:at], line, *lines[at:]])
        yield f"line {at} with a space", "\n".join([*lines[:at], line + " ", *lines[at + 1 :]])
    for what, index in {
        "zero": "0",
        "next": "6",
        "huge": "9" * 19,
        "longer": "9" * 20,
        "spelt": "05",
        "minus": "-1",
        "empty": "",
    }.items():
        yield f"index {what}", receipt.replace("index 5", f"index {index}")
    hashes = range(3, blank)
    yield "hashes swapped", "\n".join([*lines[:3], lines[4], lines[3], *lines[5:]])
    yield "hashes reversed", "\n".join([*lines[:3], *reversed([lines[i] for i in hashes]), *lines[blank:]])
    yield "no hashes", "\n".join([*lines[:3], *lines[blank:]])
    yield "64 hashes", "\n".join([*lines[:3], *[lines[3]] * 64, *lines[blank:]])
    yield "a short hash", receipt.replace(lines[3], base64.b64encode(bytes(31)).decode())
    yield (
        "salt of another",
        receipt.replace(
            lines[1],
            "extra "
            + base64.b64encode(
                json.dumps({"kind": "receipt", "salt": "00" * 32, "v": 1}, separators=(",", ":")).encode()
            ).decode(),
        ),
    )
    for what, extra in {
        "of no JSON": b"{",
        "with a mark": b"\xef\xbb\xbf" + base64.b64decode(lines[1][6:]),
        "null": b"null",
    }.items():
        yield f"salt {what}", receipt.replace(lines[1], "extra " + base64.b64encode(extra).decode())
    yield "windows line ends", receipt.replace("\n", "\r\n")
    yield "no last line end", receipt.rstrip("\n")
    yield "more at the end", receipt + "\n"
    yield "a mark at the beginning", "\ufeff" + receipt
    yield "empty", ""
    resigned = receipt_resigned(receipt, other_key)
    yield "signed by another key of the same name", resigned
    yield "signature of the wrong length", receipt.replace(lines[blank + 5], lines[blank + 5][:-8])


def receipt_resigned(receipt: str, key: SigningKey) -> str:
    from authn.tlog.format.note import sign

    head, _, note = receipt.partition("\n\n")
    return f"{head}\n\n{sign(note.rpartition(chr(10) * 2)[0] + chr(10), (key,))}"


def test_every_change_to_a_receipt_ends_as_the_library_says_and_none_is_established(given: Given) -> None:
    good = receipt_of(given.stamped, [A, B])
    seen, wrong = 0, []
    for name, changed in mutations(good, SigningKey.load(KEY.name, bytes(32))):
        if changed == good:
            continue
        seen += 1
        expected = library(changed, given.stamped)
        harmless = (
            expected.outcome is Outcome.ESTABLISHED
        )  # a signature of an unknown name is ignored by both
        got = given.outcome(changed, given.stamped)
        if not changed.startswith("c2sp.org/tlog-proof@v1"):
            ok = got == "Give one receipt (.tlog-proof) and the one file it is about."
        else:
            ok = got is expected.outcome
        if not ok or (harmless and "line" not in name):
            wrong.append((name, expected.outcome, got))
    assert wrong == []
    assert seen > 90


def test_changes_to_the_signed_file_end_as_the_library_says(given: Given) -> None:
    receipt = receipt_of(given.stamped, [A])
    own = read_own(media(given.stamped))
    assert own.signature is not None
    parts = {
        "claim": own.claim,
        "signature": own.signature.signature,
        "key": own.signature.certificates[0],
        "token": own.signature.tokens_v2[0],
    }
    for name, part in parts.items():
        at = given.stamped.index(part)
        where = at + len(part) // 2 if name != "key" else given.stamped.index(b"\x03\x42\x00\x04", at) + 20
        changed = bytearray(given.stamped)
        changed[where] ^= 1
        expected = library(receipt, bytes(changed)).outcome
        got = given.outcome(receipt, bytes(changed))
        assert got is not Outcome.ESTABLISHED, name
        assert got is expected or name == "key", name  # the library may find that a point is on no curve
    elsewhere = bytearray(given.stamped)
    elsewhere[-40] ^= 1  # pixels: the receipt is not about them, and the page says so
    assert given.outcome(receipt, bytes(elsewhere)) is Outcome.ESTABLISHED
    assert "a changed picture can carry an unchanged credential" in given.page.locator("main").inner_text()


def test_another_photo_s_receipt_is_refuted_and_the_drawing_misses_the_root(given: Given) -> None:
    other = signed_photo(TestPki().leaf(), data=photo(seed=3))
    assert given.outcome(receipt_of(other, [A]), given.stamped) is Outcome.REFUTED
    label = given.page.locator("#result svg[role=img]").get_attribute("aria-label") or ""
    assert label.endswith("to a root that the log did not sign.")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "no key of a log was given"),
        ("nonsense", "line 1 of the keys: this is no key"),
        (f"{KEY.verifier}x", "line 1 of the keys:"),
        (f"log {KEY.verifier}\nquorum w\n", "line 2 of the keys: this is no line of a policy"),
        (f"{SigningKey.load('other.example', bytes(32)).verifier}", "signed by no log in your list"),
        (f"{KEYS}{replace(A, name='a.example/second').verifier}\n", "one key stands for two witnesses"),
        (f"{KEYS}{OWN}\n", "own key stands as its witness"),
        (f"log {KEY.verifier}\nwitness own {OWN}\nquorum own\n", "own key stands as its witness"),
    ],
    ids=["none", "nonsense", "damaged", "policy", "another-log", "one-key-twice", "own", "own-in-policy"],
)
def test_keys_that_do_not_serve_are_named(given: Given, keys: str, said: str) -> None:
    result = given.check(receipt_of(given.stamped), given.stamped, keys)
    assert said in result + given.shown()
    assert result not in (BADGES[Outcome.ESTABLISHED], BADGES[Outcome.REFUTED])


def test_page_and_library_tell_another_log_from_a_false_one_of_the_same_name(given: Given) -> None:
    other = SigningKey.load("other.example", bytes(32)).verifier
    twin = SigningKey.load(KEY.verifier.name, bytes(32)).verifier
    receipt = receipt_of(given.stamped)
    for key, outcome in ((other, Outcome.OUTSIDE_LISTS), (twin, Outcome.REFUTED)):
        assert given.check(receipt, given.stamped, f"{key}") == BADGES[outcome]
        axis = log_axis(read_own(media(given.stamped)), receipt, LogTrust(logs=(key,)))
        assert axis.outcome is outcome


def test_a_missing_or_unsigned_file_is_not_examined(given: Given) -> None:
    receipt = receipt_of(given.stamped)
    assert given.outcome(receipt, None) is Outcome.NOT_EXAMINED
    assert given.outcome(receipt, photo()) is Outcome.NOT_EXAMINED
    assert given.outcome(receipt, b"text") is Outcome.NOT_EXAMINED


def test_hostile_text_in_a_receipt_stays_text(given: Given) -> None:
    receipt = receipt_for(EntryKind.RECEIPT, {}, [A]).replace(
        "log.test/receipts", "<img/src=x/onerror=alert(1)>"
    )
    given.check(receipt, given.stamped)
    assert given.page.locator("#result img").count() == 0


def test_both_ways_to_check_ed25519_agree_with_wycheproof(browser: Browser, saved: str, suites: Path) -> None:
    """The page's own arithmetic, for browsers without Ed25519, and the browser's."""
    groups = json.loads((suites / "wycheproof" / "ed25519_test.json").read_text())["testGroups"]
    cases = [
        (test["tcId"], group["publicKey"]["pk"], test["sig"], test["msg"], test["result"] == "valid")
        for group in groups
        for test in group["tests"]
    ]
    source = "const say = (text) => text;\n" + "\n".join(
        (Path(__file__).parents[2] / "authn/report/templates" / name).read_text()
        for name in ("receipt-file.js", "receipt-ed25519.js")
    )
    with visiting(browser) as page:
        page.goto(saved)
        got = page.evaluate(
            """async ([source, cases]) => {
            const bytes = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
            const [native, own] = Function(source + "; return [ed25519, (k, s, m) => "
              + "s.length === 64 && k.length === 32 ? ed25519Here(k, s, m) : false];")();
            const wrong = [];
            for (const [id, pk, sig, msg, valid] of cases) {
              const given = [pk, sig, msg].map(bytes);
              const answers = [await native(...given), await own(...given)];
              if (answers.some((answer) => answer !== valid)) wrong.push([id, valid, ...answers]);
            }
            return wrong; }""",
            [source, cases],
        )
    assert len(cases) > 140
    assert got == []


def test_the_policy_forbids_the_page_every_request(browser: Browser, saved: str) -> None:
    with visiting(browser) as page:
        page.goto(saved)
        tried = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'went out', () => 'refused')")
        assert tried == "refused"
        assert page.locator("script").count() == 1
        assert page.locator("script[src], link, iframe, img, object").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_has_no_accessibility_violation(
    browser: Browser, saved: str, stamped: bytes, dark: bool
) -> None:
    with visiting(browser, dark=dark) as page:
        page.goto(saved)
        Given(page, stamped).check(receipt_of(stamped, [A]), stamped)
        violations = Axe().run(page).response["violations"]
        assert [(v["id"], [n["html"] for n in v["nodes"]][:3]) for v in violations] == []


def test_the_page_fits_a_phone_and_says_what_it_needs_without_javascript(
    browser: Browser, saved: str, stamped: bytes
) -> None:
    with visiting(browser, size=PHONE) as page:
        page.goto(saved)
        Given(page, stamped).check(receipt_of(stamped, [A], size=300), stamped)
        assert sideways(page) == 0
    with visiting(browser, script=False) as page:
        page.goto(saved)
        assert page.locator("noscript p").is_visible()
        assert page.locator("#go").is_disabled()


def test_equal_input_gives_the_same_page() -> None:
    pages = {sha256(render_receipt_page(KEYS).encode()).hexdigest() for _ in range(2)}
    assert len(pages) == 1
