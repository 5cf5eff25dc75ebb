"""What a worker of a cluster does, and what is said where there is no cluster.

A real one of two nodes, of which one is killed, is tests/bench/cluster.py: it takes minutes.
"""

from __future__ import annotations

import importlib.util
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from authn.audit.cluster import Hand, examined_on_cluster
from authn.audit.conduct import conduct
from authn.audit.results import Row, read_rows
from authn.core.errors import AuditError, AuthnError, SystemLacking, Unreachable
from tests.authn.audit.test_run import AS_OF, Silent, job_for, order_for, photos

RAY = importlib.util.find_spec("ray") is not None


def without_run(rows: dict[str, Row]) -> dict[str, Row]:
    return {n: {k: v for k, v in row.items() if k != "run"} for n, row in rows.items()}


def test_a_worker_makes_the_rows_that_this_machine_makes(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif", "altered-1.gif", "kill-1.gif", "b.gif", "notes.txt")
    (source / "twin.gif").write_bytes((source / "a.gif").read_bytes())
    conduct(order_for(source, tmp_path / "run"), clock=lambda: AS_OF, progress=Silent())
    here = {r["subject"]["name"]: r for r in read_rows(tmp_path / "run" / "results.jsonl")}
    job = pickle.loads(pickle.dumps(job_for(source, as_of=AS_OF)))
    hand = Hand(job)
    made = {m.row["subject"]["name"]: m.row for m in hand.looked_at(list(job.opens().entries()))}
    hand._desk.close()
    assert without_run(here) == without_run(made)


def test_a_machine_that_does_not_see_the_source_is_no_worker(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be read"):
        Hand(job_for(tmp_path / "not here")).ready()


def test_without_ray_or_a_cluster_the_audit_says_so_and_goes_on_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    order = order_for(photos(tmp_path / "in", "a.gif"), tmp_path / "run")
    expected: type[AuthnError] = Unreachable if RAY else SystemLacking
    with pytest.raises(expected, match="Ray cluster answers" if RAY else r"assay\[ray\]"):
        conduct(replace(order, engine=examined_on_cluster), clock=lambda: AS_OF, progress=Silent())
    assert conduct(order, clock=lambda: AS_OF, progress=Silent()).tally.reported == 1
