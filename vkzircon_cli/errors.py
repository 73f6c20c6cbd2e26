# SPDX-License-Identifier: Apache-2.0
"""What stops us: a question refused (data, caught by the probe), and what ends a command (message, hint, exit code)."""

from enum import IntEnum

from vkzircon_cli.model.base import Missing, MissingKind


class Exit(IntEnum):
    """The exit codes that this program documents. When several apply, `EXIT_PRECEDENCE` decides."""

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

# Those that an error may have which ended a probe; each other comes of verdicts, or of what is written.
ERROR_EXITS = (
    Exit.USAGE,
    Exit.CANNOT_ASK,
    Exit.CRASHED,
    Exit.OUR_FAULT,
    Exit.HUNG_UP,
    Exit.INTERRUPTED,
    Exit.TERMINATED,
)


class Refused(Exception):
    """A call said no. Carries the `Missing` that stands in the facts for its answer."""

    def __init__(self, call: str, result: str, reason: str = "") -> None:
        super().__init__(call, result, reason)
        self.missing = Missing(MissingKind.REFUSED, call, result, reason)

    @property
    def said(self) -> str:
        """Put the refusal in words; a call that the driver does not have gave no result."""
        missing = self.missing
        return f"{missing.call} answered {missing.result}" if missing.result else f"{missing.call}: {missing.reason}"


class TimedOut(Exception):
    """Work that was given to the device never ended. The probe turns it into a `Missing` of that kind."""

    def __init__(self, call: str, reason: str) -> None:
        super().__init__(call, reason)
        self.missing = Missing(MissingKind.TIMED_OUT, call, "VK_TIMEOUT", reason)


class Crashed(Exception):
    """Another process died of the question. The probe turns it into a `Missing` of that kind."""

    def __init__(self, call: str, result: str, reason: str) -> None:
        super().__init__(call, result, reason)
        self.missing = Missing(MissingKind.CRASHED, call, result, reason)


class NotAsked(Exception):
    """A question that makes no sense here: the probe turns it into a `Missing` of that kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.missing = Missing(MissingKind.NOT_ASKED, "", "", reason)


class Stop(Exception):
    """End the command: *message* says what and why in one sentence, *hint* what to do next."""

    exit_code = Exit.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Usage(Stop):
    """The command line asks for something that does not exist."""


class CannotAsk(Stop):
    """No loader, driver, device, route or permission: there is nobody to ask. *cause* is a stable word for programs."""

    exit_code = Exit.CANNOT_ASK

    def __init__(self, cause: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.cause = cause


def missing_package(error: ImportError) -> CannotAsk:
    """Say which Python package cannot be imported and how to get it."""
    package = {"_cffi_backend": "cffi"}.get(error.name or "", error.name or "vkzircon")
    fix = f"Install it with: python3 -m pip install {package}"
    return CannotAsk("no-package", f"A Python package is missing or broken: {error}.", fix)


class NotWritten(Stop):
    """The result could not be written where it was asked for."""

    exit_code = Exit.NOT_WRITTEN
