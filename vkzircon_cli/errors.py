# SPDX-License-Identifier: Apache-2.0
"""Exceptions: some become an answer's `Missing` in the probe, the others end a command with an exit code."""

import errno
import os
from enum import IntEnum

from vkzircon_cli.model.base import Missing, MissingKind


class Exit(IntEnum):
    """The documented exit codes. Where several apply, the first in `EXIT_PRECEDENCE` counts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_OFFERED = 3
    CANNOT_ASK = 4
    CRASHED = 5
    NOT_WRITTEN = 6
    OUR_FAULT = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


EXIT_PRECEDENCE = (
    Exit.OUR_FAULT,
    Exit.NOT_WRITTEN,
    Exit.CRASHED,
    Exit.FAILED,
    Exit.CANNOT_ASK,
    Exit.NOT_OFFERED,
    Exit.OK,
)

# The codes of errors that end a probe. The others belong to verdicts and to writing.
ERROR_EXITS = (
    Exit.USAGE,
    Exit.CANNOT_ASK,
    Exit.CRASHED,
    Exit.OUR_FAULT,
    Exit.HUNG_UP,
    Exit.INTERRUPTED,
    Exit.TERMINATED,
)


_MOST_WORDS = 300  # characters of a foreign error


# What a seccomp filter, or a limit on memory, processes or files, answers to a call.
_REFUSALS = (errno.EPERM, errno.ENOSYS, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class Unanswered(Exception):
    """Ends a question of the probe; the facts have *missing* in place of the answer."""

    def __init__(self, kind: MissingKind, call: str, result: str, reason: str) -> None:
        super().__init__(*(said for said in (call, result, reason) if said))
        self.missing = Missing(kind, call, result, reason)


class Refused(Unanswered):
    """A call returned an error."""

    def __init__(self, call: str, result: str, reason: str = "") -> None:
        super().__init__(MissingKind.REFUSED, call, result, reason)

    @property
    def said(self) -> str:
        """The refusal in words. A call that the driver does not implement has no result."""
        missing = self.missing
        return f"{missing.call} returned {missing.result}" if missing.result else f"{missing.call}: {missing.reason}"


class TimedOut(Unanswered):
    """The device's work did not end in time."""

    def __init__(self, call: str, reason: str) -> None:
        super().__init__(MissingKind.TIMED_OUT, call, "VK_TIMEOUT", reason)


class Crashed(Unanswered):
    """The question crashed or hung another process."""

    def __init__(self, reason: str) -> None:
        super().__init__(MissingKind.CRASHED, "", "", reason)


class NotAsked(Unanswered):
    """A question that does not apply here; *reason* explains why."""

    def __init__(self, reason: str) -> None:
        super().__init__(MissingKind.NOT_ASKED, "", "", reason)


class Stop(Exception):
    """Ends the command: *message* says what happened and why in one sentence, *hint* what to do next."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Usage(Stop):
    """The command line names something that does not exist, or combines options that exclude each other."""


class CannotAsk(Stop):
    """No loader, driver, device, route or permission. *cause* is a stable word for programs."""

    exit_code = Exit.CANNOT_ASK

    def __init__(self, cause: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.cause = cause


# By the module that cannot be imported, the dependency of vkzircon that brings it.
_DEPENDENCIES = {
    **{name: name for name in ("vulkan", "cffi", "typer", "rich", "pydantic", "jinja2")},
    **dict.fromkeys(("_cffi_backend", "pycparser"), "cffi"),
    **dict.fromkeys(("click", "shellingham"), "typer"),
    **dict.fromkeys(("markdown_it", "mdurl", "pygments"), "rich"),
    **dict.fromkeys(("pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"), "pydantic"),
    "markupsafe": "jinja2",
}


def missing_package(
    error: ImportError, problem: str = "A Python package is missing or broken", package: str | None = None
) -> CannotAsk:
    """Return the error for a module that cannot be imported, of *package* if that is known.

    Only dependencies are named for an installation: anyone may register another name, as that of a folder of ours that
    cannot be read.
    """
    package = package or _DEPENDENCIES.get((error.name or "").partition(".")[0])
    fix = "Install vkzircon again, as it was installed, or another Python."
    if package is not None:
        fix = f"Install it with: python3 -m pip install --upgrade {package}"
    return CannotAsk("no-package", f"{problem}: {error}.", fix)


def of_newer_glibc(refused: OSError) -> CannotAsk | None:
    """Return the error for a libzircon that the linker *refused* for its glibc, None for another reason."""
    if "GLIBC_" not in str(refused):
        return None
    fix = (
        "It was built elsewhere, with a newer glibc. Build it here: python3 -m pip install . in a checkout of vkzircon."
    )
    return CannotAsk("no-libzircon", f"libzircon does not fit this system's glibc: {refused}.", fix)


def refused_call(error: BaseException) -> CannotAsk | None:
    """Return the error for a system call that a sandbox or a limit refuses, None for any other error."""
    if isinstance(error, MemoryError):
        error = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if not isinstance(error, OSError) or error.errno not in _REFUSALS:
        return None
    fix = "Allow it in the sandbox or container, or raise the limit: ulimit -n, ulimit -u, ulimit -v."
    return CannotAsk("no-process", f"The system refuses a call that vkzircon needs: {error.strerror}.", fix)


def by_limit(happened: str) -> CannotAsk | None:
    """Return the error for what *happened*, a sentence without a full stop, if a limit is in the way here."""
    from vkzircon_cli.model.limits import limit_in_the_way  # imported here: few runs need it

    if (limit := limit_in_the_way()) is None:
        return None
    return CannotAsk("limit", f"{happened}, where {limit.words}.", f"Try: {limit.fix}.")


class OurFault(Stop):
    """A bug in this program; *report* names what a bug report should contain."""

    exit_code = Exit.OUR_FAULT

    def __init__(self, error: BaseException, report: str) -> None:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_WORDS]
        super().__init__(f"A fault of vkzircon's own: {said}.", f"Please report it with {report}.")


class NotWritten(Stop):
    """The result could not be written."""

    exit_code = Exit.NOT_WRITTEN
