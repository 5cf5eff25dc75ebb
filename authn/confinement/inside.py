"""The confined process's own end: what it gives up before the first file, and its answers.

The order matters. Build with what the caller may read (roots, lists); then close the files, while there is
one thread; then load models, which lie in folders that stay open; then close the system calls, for all
threads. Only then a file that a stranger sent is looked at.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from authn.confinement.codec import MAX_BLOB_BYTES
from authn.confinement.sandbox import hold_calls, hold_files, hold_privileges
from authn.confinement.sandbox.process import (
    cut_descriptors,
    forget_environment,
    keep_freed_memory,
    limit_from_the_start,
    limit_memory,
    limit_writing,
    silence,
)
from authn.confinement.wire import ANSWER, ASK, DEVICE, READY, REFUSED, Refusal, Wire, error_of
from authn.core.errors import AuthnError
from authn.core.holds import Hold, Holds
from authn.devices import DeviceRecord, RegistryView

EXIT_OUT_OF_MEMORY = 82

Build = Callable[[RegistryView | None], Callable[[Any], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the caller sends along. ``warm`` gets the function when no file can be opened any more that is
    not the program's or ``readable``; the types are those of questions and answers. ``talks``: whether what
    libraries and defects write to stderr is seen: a service's log wants it, a person's terminal does not."""

    build: Build
    warm: Callable[[Any], None] | None
    question: type
    answer: type
    memory_bytes: int
    readable: tuple[Path, ...]
    has_registry: bool
    talks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What holds the process, told before it has seen any file."""

    holds: Holds


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAsked:
    spki_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFound:
    record: DeviceRecord | None


class RegistryOfCaller:
    """A ``RegistryView`` without a database: the caller looks the key up, once for each question about a
    file, so that one report cannot rest on two states of a device."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._told: dict[str, DeviceRecord | None] = {}

    def forget(self) -> None:
        """The next question may meet another state."""
        self._told.clear()

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        """Raises the ``AuthnError`` that the caller met."""
        if spki_sha256 not in self._told:
            self._told[spki_sha256] = self._asked(spki_sha256)
        return self._told[spki_sha256]

    def _asked(self, spki_sha256: str) -> DeviceRecord | None:
        self._wire.send(DEVICE, DeviceAsked, DeviceAsked(spki_sha256=spki_sha256))
        reply = self._wire.receive()
        if reply.kind == REFUSED:
            raise error_of(reply.read(Refusal))
        return reply.read(DeviceFound).record


def serve(pipe: Connection, packed: bytes | None = None) -> None:
    """The process's whole life; one that was there before its plan gets that over the pipe. An error that is
    not ours ends it: the traceback goes to stderr, the caller gets ``ExaminationFailed``, and the next call
    gets a fresh process."""
    # Ctrl-C reaches the whole terminal; the caller decides. Until here the signal was blocked by the caller.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forget_environment()
    keep_freed_memory()
    cut_descriptors((pipe.fileno(),))
    limit_from_the_start()
    if packed is None:
        try:
            packed = pipe.recv_bytes()
        except (EOFError, OSError):  # the caller needed none
            return
    wire = Wire(pipe)
    plan: Plan = pickle.loads(packed)  # noqa: S301 our own caller made it, before any file was looked at
    if not plan.talks:
        silence()
    with contextlib.suppress(EOFError, ConnectionError):  # the caller is gone
        registry = RegistryOfCaller(wire) if plan.has_registry else None
        try:
            function, holds = _made(plan, registry)
        except AuthnError as e:
            wire.refuse(e)
            return
        wire.send(READY, Ready, Ready(holds=holds))
        while (message := wire.receive(most_frames=MAX_BLOB_BYTES)).kind == ASK:
            if registry is not None:
                registry.forget()
            _answer(wire, plan, function, message.read(plan.question))
            del message


def _made(plan: Plan, registry: RegistryView | None) -> tuple[Callable[[Any], Any], Holds]:
    """The function, when everything that can hold this process does."""
    import detector  # noqa: F401 found now: later the folder that it lies in cannot be searched
    import signer  # noqa: F401

    privileges = hold_privileges()
    function = plan.build(registry)
    files = hold_files(plan.readable)
    if plan.warm is not None:
        plan.warm(function)
    limit = limit_memory(plan.memory_bytes)
    limits = Hold(name="limits", active=True, detail=f"{limit} bytes of addresses; time, files and cores too")
    calls = hold_calls()
    gc.freeze()  # what stays for ever need not be looked through for each file
    if not files.active and not calls.active:
        limit_writing()
    return function, (*privileges, files, calls, limits)


def _answer(wire: Wire, plan: Plan, function: Callable[[Any], Any], question: object) -> None:
    try:
        wire.send(ANSWER, plan.answer, function(question))
    except AuthnError as e:
        wire.refuse(e)
    except MemoryError:
        # After a failed allocation native libraries may hold half-built state: end, do not carry on.
        os._exit(EXIT_OUT_OF_MEMORY)
