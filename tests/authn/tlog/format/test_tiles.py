"""Tiles: paths as in the specification, bytes as in Sunlight's, hashes read back out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.tlog.format.merkle import Frontier, leaf_hash
from authn.tlog.format.proof import inclusion_proof, proves_inclusion
from authn.tlog.format.tiles import (
    Subtrees,
    TileMissing,
    TilePath,
    TileReader,
    TileWriter,
    entry_bundle,
    parse_entry_bundle,
    parse_tile_path,
    tile_path,
    tile_width,
)
from tests.authn.tlog.trees import Grown

MIRRORED = "witness/mirror/000de184301123b9278c086a7d9f68c9577e83872224c197058fd90784ea9706"


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "000"),
        (999, 256, "999"),
        (1000, 256, "x001/000"),
        (1234067, 256, "x001/x234/067"),
        (5, 1, "005.p/1"),
        (1234067, 255, "x001/x234/067.p/255"),
    ],
)
def test_a_path_is_written_as_the_specification_says_and_read_back(index: int, width: int, path: str) -> None:
    assert tile_path(index, width) == path
    assert parse_tile_path(path) == TilePath(index=index, width=width)


@pytest.mark.parametrize(
    "path",
    ["", "0", "00", "0000", "x000/000", "001/000", "x001", "000.p/0", "000.p/01", "000.p/256", "000.p/",
     "000/", " 000", "000\n", "-01", "x01/000", "٠٠٠", "000.p/1/2", "../000"],
)  # fmt: skip
def test_another_way_to_write_a_path_is_no_path(path: str) -> None:
    assert parse_tile_path(path) is None


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_gives_its_entries_back(leaves: list[bytes]) -> None:
    assert parse_entry_bundle(entry_bundle(leaves)) == tuple(leaves)


@pytest.mark.parametrize("bundle", [b"\0", b"\0\1", b"\0\2a", b"\0\1a\0"])
def test_a_bundle_that_ends_within_an_entry_is_refused(bundle: bytes) -> None:
    with pytest.raises(ValueError, match="ends within"):
        parse_entry_bundle(bundle)


def test_a_leaf_too_long_for_its_length_is_refused() -> None:
    assert len(entry_bundle([bytes(65535)])) == 65537
    with pytest.raises(ValueError, match="65,535"):
        entry_bundle([bytes(65536)])


def grown_in_tiles(sizes: list[int]) -> dict[tuple[int, int], bytes]:
    """Tiles as a log stores them: read what is there, write what has grown, batch after batch."""
    stored: dict[tuple[int, int], bytes] = {}
    frontier = Frontier()
    for size in sizes:
        writer = TileWriter(TileReader(lambda level, index: stored.get((level, index), b"")))
        while frontier.size < size:
            frontier.append(leaf_hash(b"%d" % frontier.size), writer.emit)
        stored.update(writer.tiles())
    return stored


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=5))
def test_every_subtree_can_be_read_out_of_the_tiles_however_they_grew(sizes: list[int]) -> None:
    stored = grown_in_tiles(sorted(sizes))
    size = max(sizes)
    tree = Grown(b"%d" % i for i in range(size))
    reader = TileReader(lambda level, index: stored.get((level, index), b""))
    assert {node: reader.node(*node) for node in tree.nodes} == tree.nodes
    assert {key: len(tile) // 32 for key, tile in stored.items()} == {
        (level, i): width for level in range(3) for i in range(3) if (width := tile_width(size, level, i))
    }
    for index in range(0, size, 97):
        path = inclusion_proof(reader.node, index, size)
        assert proves_inclusion(leaf_hash(b"%d" % index), index, size, path, tree.roots[size])


def test_a_tile_that_lacks_a_hash_is_named() -> None:
    stored = grown_in_tiles([300])
    stored[0, 1] = stored[0, 1][:-1]
    reader = TileReader(lambda level, index: stored.get((level, index), b""))
    assert reader.node(0, 298) == leaf_hash(b"298")
    with pytest.raises(TileMissing, match="tile 0/1 has no hash 43"):
        reader.node(0, 299)
    with pytest.raises(TileMissing, match="not as long"):
        TileWriter(reader).emit(0, 300, bytes(32))


def test_our_tiles_are_sunlights_byte_for_byte(suites: Path) -> None:
    folder = suites / "sunlight-testdata" / MIRRORED
    theirs = {
        (0, 0): (folder / "tile/0/000").read_bytes(),
        (0, 1): (folder / "tile/0/001.p/44").read_bytes(),
        (1, 0): (folder / "tile/1/000.p/1").read_bytes(),
    }
    level_0 = theirs[0, 0] + theirs[0, 1]
    writer = TileWriter(TileReader(lambda _level, _index: b""))
    frontier = Frontier()
    for at in range(0, len(level_0), 32):
        frontier.append(level_0[at : at + 32], writer.emit)
    assert writer.tiles() == theirs


def test_what_was_computed_of_a_tile_holds_while_it_begins_as_it_did_and_is_forgotten_when_it_does_not() -> (
    None
):
    stored, kept = grown_in_tiles([200]), Subtrees()

    def read(level: int, index: int) -> bytes:
        return stored.get((level, index), b"")

    before = TileReader(read, kept).node(7, 0)
    stored = grown_in_tiles([200, 256])
    assert TileReader(read, kept).node(7, 0) == before
    assert TileReader(read, kept).node(7, 1) == TileReader(read).node(7, 1)
    stored[0, 0] = leaf_hash(b"another") + stored[0, 0][32:]
    changed = TileReader(read, kept).node(7, 0)
    assert changed == TileReader(read).node(7, 0) != before
    stored[0, 0] = stored[0, 0][: 32 * 100]
    with pytest.raises(TileMissing):
        TileReader(read, kept).node(7, 0)
