"""What signed photos look like: a hash of each, and its manifest store where that is wanted. No pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Engine, delete, func, insert, select

from authn.store.engine import paged, reading, upsert, writing
from authn.store.schema import captures, picture_hashes, picture_hashes_gone, picture_manifests

PAGE = 20_000
NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPicture:
    """``record_sha256`` names the capture as in ``authn.store.captures``; ``subject_sha256`` is of the whole
    file; ``pdq`` and ``inner`` (of the inside; None of those taken in before there was one) have 32 bytes."""

    record_sha256: str
    subject_sha256: str
    manifest_id: str
    device_id: str
    pdq: bytes
    quality: int
    signed_at: datetime | None
    taken_at: datetime
    inner: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPicture:
    """``log_index`` is its entry in the log."""

    id: int
    picture: SignedPicture
    log_index: int


class SignedPictures:
    """Every method raises ``Unavailable`` when the database cannot be used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def remember(self, picture: SignedPicture, store: bytes | None) -> None:
        """Once for each capture; a manifest that comes later is added."""
        with writing(self._engine) as connection:
            row = upsert(connection, picture_hashes).values(asdict(picture))
            connection.execute(row.on_conflict_do_nothing(index_elements=["record_sha256"]))
            if store is not None:
                kept = upsert(connection, picture_manifests)
                kept = kept.values(record_sha256=picture.record_sha256, store=store)
                connection.execute(kept.on_conflict_do_nothing(index_elements=["record_sha256"]))

    def newest(self) -> tuple[int, int]:
        """The highest number that a hash has, 0 where there is none; and how many were deleted."""
        highest = select(func.coalesce(func.max(picture_hashes.c.id), 0))
        gone = select(func.count()).select_from(picture_hashes_gone)
        with reading(self._engine) as connection:
            return connection.execute(highest).scalar_one(), connection.execute(gone).scalar_one()

    def hashes(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Number and hash of those that came after this one, in their order."""
        return self._after(after, picture_hashes.c.pdq)

    def inner_hashes(self, after: int) -> Iterator[tuple[int, bytes]]:
        """The same of the inside; ``NO_HASH``, which lies near none, where there is none."""
        return self._after(after, picture_hashes.c.inner)

    def _after(self, after: int, column: Column[bytes]) -> Iterator[tuple[int, bytes]]:
        query = select(picture_hashes.c.id, column.label("hash"))
        with reading(self._engine) as connection:
            for row in paged(
                lambda q: connection.execute(q).all(), query, picture_hashes.c.id, after=after, size=PAGE
            ):
                yield row.id, NO_HASH if row.hash is None else bytes(row.hash)

    def inner_of(self, ids: tuple[int, ...]) -> tuple[tuple[int, bytes], ...]:
        """Of these numbers those that are there, each with the hash of its inside."""
        query = select(picture_hashes.c.id, picture_hashes.c.inner).where(picture_hashes.c.id.in_(ids))
        with reading(self._engine) as connection:
            rows = connection.execute(query.where(picture_hashes.c.inner.is_not(None))).all()
        return tuple((row.id, bytes(row.inner)) for row in rows)

    def gone(self) -> tuple[int, ...]:
        """Numbers of hashes that were deleted."""
        with reading(self._engine) as connection:
            return tuple(connection.execute(select(picture_hashes_gone.c.id)).scalars())

    def find(self, ids: tuple[int, ...], device_id: str | None) -> tuple[FoundPicture, ...]:
        """Those of these that are still there and in the log; of one device, where it is named."""
        return self._found(picture_hashes.c.id.in_(ids), device_id)

    def of_manifest(self, manifest_id: str, device_id: str | None) -> FoundPicture | None:
        """The capture whose active manifest has this label."""
        found = self._found(picture_hashes.c.manifest_id == manifest_id, device_id)
        return found[0] if found else None

    def store_of(self, picture: SignedPicture) -> bytes | None:
        """Its manifest store, where it was kept."""
        query = select(picture_manifests.c.store)
        query = query.where(picture_manifests.c.record_sha256 == picture.record_sha256)
        with reading(self._engine) as connection:
            store = connection.execute(query).scalar_one_or_none()
        return None if store is None else bytes(store)

    def forget(self, record_sha256: str) -> bool:
        """Delete hash and manifest of a capture; false where there were none."""
        with writing(self._engine) as connection:
            same = picture_hashes.c.record_sha256 == record_sha256
            ids = tuple(connection.execute(select(picture_hashes.c.id).where(same)).scalars())
            connection.execute(delete(picture_hashes).where(same))
            kept = picture_manifests.c.record_sha256 == record_sha256
            connection.execute(delete(picture_manifests).where(kept))
            for id_ in ids:
                connection.execute(insert(picture_hashes_gone).values(id=id_))
        return bool(ids)

    def forget_entry(self, log_index: int) -> bool:
        """The same for the capture that is this entry of the log."""
        query = select(captures.c.record_sha256).where(captures.c.idx == log_index)
        with reading(self._engine) as connection:
            record = connection.execute(query).scalar_one_or_none()
        return record is not None and self.forget(record)

    def _found(self, wanted: ColumnElement[bool], device_id: str | None) -> tuple[FoundPicture, ...]:
        columns = [c for c in picture_hashes.c if c.name != "id"]
        query = select(picture_hashes.c.id, captures.c.idx, *columns)
        query = query.join(captures, captures.c.record_sha256 == picture_hashes.c.record_sha256)
        query = query.where(wanted, captures.c.idx.is_not(None)).order_by(picture_hashes.c.id)
        if device_id is not None:
            query = query.where(picture_hashes.c.device_id == device_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            FoundPicture(
                id=row["id"],
                log_index=row["idx"],
                picture=SignedPicture(**{c.name: row[c.name] for c in columns}),
            )
            for row in rows
        )
