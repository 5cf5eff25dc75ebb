"""What crosses to a confined process is data of one expected type; anything else is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.audit.looking import Look, Looked
from authn.confinement.codec import MAX_NODES, NotOfSchema, decode, dump, encode, load
from authn.confinement.inside import DeviceFound, Ready
from authn.core.evidence import Finding, NotExamined, Outcome
from authn.core.report import Report
from authn.devices import DeviceRecord
from authn.examine.request import Examined
from detector.models.score import Ratio, StabilityRange
from detector.models.score_map import Spot
from tests.doubles.reports import altered_report, contradicting_report, joint_report, unsigned_report
from tests.doubles.score_maps import score_map

AT = datetime(2026, 11, 24, 10, 0, 1, 250, tzinfo=UTC)


def there_and_back(value: Any) -> Any:
    frames: list[bytes] = []
    return decode(type(value), load(dump(encode(type(value), value, frames))), frames)


@pytest.mark.parametrize("make", [altered_report, contradicting_report, joint_report, unsigned_report])
def test_a_report_comes_back_equal(make: Any) -> None:
    examined = Examined(
        report=make(),
        preview_jpeg=b"\xff\xd8\0\xff",
        maps=(score_map(), NotExamined(what="traces-1", why="too small")),
    )
    assert there_and_back(examined) == examined


@pytest.mark.parametrize("kind", [Examined, Look, Looked, Ready, DeviceFound, Report])
def test_every_type_that_crosses_has_a_plain_form(kind: type) -> None:
    """A field of a type without one is a defect that shows here, not at somebody's first file."""
    with pytest.raises(NotOfSchema):
        decode(kind, None, [])


def test_a_device_comes_back_equal_and_nobody_is_nobody() -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    record = DeviceRecord(
        device_id="d", name="n", spki_sha256="00", enrolled_at=AT.astimezone(zone), revoked_at=AT
    )
    assert there_and_back(DeviceFound(record=record)) == DeviceFound(record=record)
    assert there_and_back(DeviceFound(record=None)) == DeviceFound(record=None)


@given(text=st.text(st.characters(), max_size=50), number=st.integers(-(2**63), 2**63 - 1))
def test_any_string_a_file_may_hold_comes_back(text: str, number: int) -> None:
    finding = Finding(
        code=text, outcome=Outcome.ABSENT, detail="\ud800" + text, facts=(("n", number), (text, None))
    )
    assert there_and_back(finding) == finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    text: str
    number: int
    share: float
    truth: bool
    outcome: Outcome
    at: datetime
    data: bytes
    pairs: tuple[tuple[str, int], ...]
    fact: str | int | float | bool | None
    one: Finding | NotExamined | None


SAMPLE = Sample(
    text="t",
    number=1,
    share=0.5,
    truth=True,
    outcome=Outcome.ABSENT,
    at=AT,
    data=b"d",
    pairs=(("a", 1),),
    fact=True,
    one=NotExamined(what="a", why="b"),
)


@pytest.mark.parametrize(
    ("field", "lie"),
    [
        ("text", 1), ("text", None), ("text", ["t"]), ("text", "x" * 1_000_001),
        ("number", True), ("number", 1.0), ("number", "1"), ("number", 2**63), ("number", None),
        ("share", 1), ("share", "0.5"), ("share", True), ("share", [0.5]),
        ("truth", 1), ("truth", "true"), ("truth", None),
        ("outcome", "ESTABLISHED"), ("outcome", "__class__"), ("outcome", "mro"), ("outcome", 0),
        ("at", "2026-11-24"), ("at", "2026-11-24T10:00:00"), ("at", 1.0), ("at", "x" * 100),
        ("data", {"blob": 1}), ("data", {"blob": -1}), ("data", {"blob": True}), ("data", "d"),
        ("data", {"blob": 0, "x": 0}), ("data", {}),
        ("pairs", {"a": 1}), ("pairs", [["a"]]), ("pairs", [["a", 1, 2]]), ("pairs", [["a", "1"]]),
        ("fact", {}), ("fact", []), ("fact", ["str", "x"]),
        ("one", {"what": "a", "why": "b"}), ("one", ["Sample", {}]), ("one", ["NotExamined", {"what": "a"}]),
        ("one", ["Finding", {"what": "a", "why": "b"}]), ("one", ["NotExamined"]), ("one", "NotExamined"),
        ("one", [["NotExamined"], {}]), ("one", ["NotExamined", {"what": "a", "why": "b", "more": 1}]),
    ],
)  # fmt: skip
def test_one_wrong_value_refuses_the_whole(field: str, lie: Any) -> None:
    frames: list[bytes] = []
    plain = load(dump(encode(Sample, SAMPLE, frames)))
    assert decode(Sample, plain, frames) == SAMPLE
    assert isinstance(plain, dict)
    with pytest.raises(NotOfSchema):
        decode(Sample, {**plain, field: lie}, frames)


def test_a_missing_and_an_unknown_field_are_refused() -> None:
    frames: list[bytes] = []
    plain = encode(Sample, SAMPLE, frames)
    assert isinstance(plain, dict)
    for changed in (
        {**plain, "__class__": "x"},
        {k: v for k, v in plain.items() if k != "text"},
        [*plain],
        None,
    ):
        with pytest.raises(NotOfSchema):
            decode(Sample, changed, frames)


def test_what_a_dataclass_says_of_its_own_values_is_a_refusal_too() -> None:
    frames: list[bytes] = []
    examined = Examined(report=unsigned_report(), preview_jpeg=None)
    plain: Any = encode(Examined, examined, frames)
    plain["report"]["cryptographic"]["axes"].reverse()
    with pytest.raises(NotOfSchema):
        decode(Examined, plain, frames)


def test_numbers_that_are_none_do_not_leave_either_end() -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(NotOfSchema):
            encode(Sample, replace(SAMPLE, share=bad), [])
    for text in (b"NaN", b"[Infinity]", b'{"a": -Infinity}'):
        with pytest.raises(NotOfSchema):
            load(text)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"[" + b"[]," * (MAX_NODES // 2 + 1) + b"[]]", b"1" * 5000,
    ],
    ids=["empty", "cut", "no text", "twice", "open", "deep", "deep objects", "many", "long number"],
)  # fmt: skip
def test_text_that_is_no_message_is_refused_without_exhausting_anything(text: bytes) -> None:
    with pytest.raises(NotOfSchema):
        load(text)


def leaves(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for key, value in items:
        yield from leaves(value, (*path, key))


def with_value(plain: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(plain) if isinstance(plain, dict) else list(plain)
    copy[path[0]] = with_value(plain[path[0]], path[1:], value)
    return copy


@settings(max_examples=400)
@given(data=st.data())
def test_an_answer_that_was_tampered_with_is_a_report_of_known_types_or_refused(data: st.DataObject) -> None:
    frames: list[bytes] = []
    examined = Examined(report=contradicting_report(), preview_jpeg=b"\xff\xd8", maps=(score_map(),))
    plain = json.loads(dump(encode(Examined, examined, frames)))
    path = data.draw(st.sampled_from(list(leaves(plain))))
    lie = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        )
    )
    try:
        found = decode(Examined, with_value(plain, path, lie), frames)
    except NotOfSchema:
        return
    assert_known(found)


def assert_known(value: Any) -> None:
    if is_dataclass(value):
        assert type(value).__module__.startswith("authn.") or type(value) in (Ratio, Spot, StabilityRange)
        for field in fields(value):
            assert_known(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            assert_known(one)
    else:
        assert value is None or isinstance(value, (str, int, float, bool, bytes, datetime))
    assert type(Outcome.ESTABLISHED) is Outcome
    assert Outcome.ESTABLISHED.value == "established"
