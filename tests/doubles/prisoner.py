"""Code that was taken over by a file: it tries what such code would try, and tells what became of it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from authn.devices import RegistryView

DONE = "done"
_libc = ctypes.CDLL(None, use_errno=True)
_SYSCALLS = {"openat2": 437, "clone3": 435, "io_uring_setup": 425, "unknown": 600}


class Prisoner:
    """Built before the doors are shut; ``secret`` is a file that it could read then."""

    def __init__(self, secret: Path, address: tuple[str, int] = ("127.0.0.1", 1)) -> None:
        self._secret = secret
        self._address = address
        assert secret.read_bytes()

    def __call__(self, act: str) -> str:
        try:
            found = getattr(self, act)()
        except OSError as e:
            return e.strerror or "refused"
        except (ValueError, RuntimeError) as e:
            return str(e)
        return DONE if found is None else str(found)

    def read_the_secret(self) -> None:
        self._secret.read_bytes()

    def read_it_through_a_link_of_the_kernel(self) -> None:
        Path(f"/proc/self/root{self._secret}").read_bytes()

    def list_its_folder(self) -> None:
        list(self._secret.parent.iterdir())

    def read_the_memory_of_the_caller(self) -> None:
        with Path(f"/proc/{os.getppid()}/mem").open("rb") as f:
            f.seek(4096)

    def read_the_environment_of_the_caller(self) -> None:
        Path(f"/proc/{os.getppid()}/environ").read_bytes()

    def write_the_secret(self) -> None:
        os.close(os.open(self._secret, os.O_WRONLY))

    def append_to_the_secret(self) -> None:
        os.close(os.open(self._secret, os.O_RDWR | os.O_APPEND))

    def make_a_file(self) -> None:
        self._secret.with_name("made").write_text("x")

    def make_a_file_in_tmp(self) -> None:
        Path("/tmp/assay-made-by-a-prisoner").write_text("x")

    def make_a_folder(self) -> None:
        self._secret.with_name("folder").mkdir()

    def remove_the_secret(self) -> None:
        self._secret.unlink()

    def rename_the_secret(self) -> None:
        self._secret.rename(self._secret.with_name("gone"))

    def open_it_for_everybody(self) -> None:
        self._secret.chmod(0o777)

    def cut_it(self) -> None:
        os.truncate(self._secret, 0)

    def link_to_it(self) -> None:
        os.link(self._secret, self._secret.with_name("second"))

    def open_a_socket(self) -> None:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()

    def connect(self) -> None:
        socket.create_connection(self._address, timeout=2).close()

    def open_a_pair(self) -> None:
        for end in socket.socketpair():
            end.close()

    def run_a_program(self) -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True)

    def become_a_program(self) -> None:
        os.execv("/bin/true", ["true"])

    def fork(self) -> None:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    def signal_the_caller(self) -> None:
        os.kill(os.getppid(), 0)

    def signal_everybody(self) -> None:
        os.kill(-1, 0)

    def trace_the_caller(self) -> None:
        self._call_libc("ptrace", 16, os.getppid(), 0, 0)

    def raise_the_memory_limit(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def raise_the_time_limit(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))

    def raise_the_limit_of_cores(self) -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))

    def lift_the_limits_of_the_caller(self) -> None:
        resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (1, 1))

    def become_another_user(self) -> None:
        os.setuid(65534)

    def call_by_other_numbers_openat2(self) -> None:
        self._call("openat2")

    def call_by_other_numbers_clone3(self) -> None:
        self._call("clone3")

    def call_by_other_numbers_io_uring(self) -> None:
        self._call("io_uring_setup")

    def call_what_is_younger_than_the_list(self) -> None:
        self._call("unknown")

    def read_stdin(self) -> str:
        return repr(os.read(0, 10))

    def count_descriptors(self) -> str:
        """Those that lead anywhere."""
        targets = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if _open(int(fd.name))]
        return " ".join(sorted(t for t in targets if t != "/dev/null" and not t.startswith("/proc/")))

    def see_environment(self) -> str:
        return Path("/proc/self/environ").read_bytes().decode(errors="replace") + str(dict(os.environ))

    def see_capabilities(self) -> str:
        status = Path("/proc/self/status").read_text().splitlines()
        return next(line.split()[1] for line in status if line.startswith("CapEff"))

    # What examining needs goes on working.

    def start_a_thread(self) -> str:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append("ran"))
        thread.start()
        thread.join()
        return found[0]

    def load_a_module_late(self) -> str:
        import wave

        return wave.__name__

    def read_the_program(self) -> str:
        return str(len(Path(resource_path()).read_bytes()) > 0)

    def ask_for_limits(self) -> str:
        return str(resource.getrlimit(resource.RLIMIT_CORE))

    def signal_itself(self) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: None)
        os.kill(os.getpid(), signal.SIGUSR1)

    def _call(self, name: str) -> None:
        self._call_libc("syscall", _SYSCALLS[name], 0, 0, 0, 0)

    def _call_libc(self, name: str, *arguments: int) -> None:
        ctypes.set_errno(0)
        if getattr(_libc, name)(*(ctypes.c_long(a) for a in arguments)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def resource_path() -> str:
    import detector

    assert detector.__file__
    return detector.__file__


def _open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def open_prisoner(
    _registry: RegistryView | None, *, secret: Path, address: tuple[str, int] = ("127.0.0.1", 1)
) -> Prisoner:
    return Prisoner(secret, address)
