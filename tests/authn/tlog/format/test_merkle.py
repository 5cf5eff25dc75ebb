"""The tree against the roots of RFC 6962's reference implementation and against the definition itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.tlog.format.merkle import EMPTY_ROOT, Frontier, frontier_nodes, leaf_hash
from tests.authn.tlog import naive
from tests.authn.tlog.trees import Grown

LEAVES = tuple(
    bytes.fromhex(x)
    for x in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
)
# certificate-transparency's reference roots for the first n of these leaves
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def test_the_roots_of_the_reference_implementation() -> None:
    assert [root.hex() for root in Grown(LEAVES).roots] == list(ROOTS)


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_a_grown_tree_has_the_root_of_the_definition(leaves: list[bytes]) -> None:
    assert Grown(leaves).roots[-1] == naive.root(leaves)


@given(st.integers(0, 300), st.integers(0, 60))
def test_a_tree_grows_on_from_its_frontier_alone(size: int, more: int) -> None:
    leaves = [b"%d" % i for i in range(size + more)]
    grown = Grown(leaves)
    frontier = Frontier(size, tuple(grown.node(*node) for node in frontier_nodes(size)))
    assert frontier.root() == grown.roots[size]
    for leaf in leaves[size:]:
        frontier.append(leaf_hash(leaf))
    assert (frontier.size, frontier.root()) == (size + more, grown.roots[size + more])


@pytest.mark.parametrize(("size", "hashes"), [(1, ()), (0, (EMPTY_ROOT,)), (3, (EMPTY_ROOT,)), (1, (b"x",))])
def test_hashes_of_another_tree_make_no_frontier(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="not the hashes"):
        Frontier(size, hashes)
