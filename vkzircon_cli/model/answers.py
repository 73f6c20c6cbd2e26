# SPDX-License-Identifier: Apache-2.0
"""A question's answer, or why there is none."""

from enum import StrEnum
from typing import Generic, TypeVar

from vkzircon_cli.model.base import record

T = TypeVar("T")


class MissingKind(StrEnum):
    """Why a question has no answer."""

    REFUSED = "refused"
    NOT_ASKED = "not-asked"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


@record
class Missing:
    """An answer that never came: the call that was asked, its result by name ('' if none) and a plain reason."""

    kind: MissingKind
    call: str
    result: str
    reason: str


@record
class Answer(Generic[T]):
    """Exactly one of *value* and *missing* is there."""

    value: T | None
    missing: Missing | None = None


def not_asked(reason: str) -> Answer[T]:
    """Answer for a question that was not put, and why."""
    return Answer(None, Missing(MissingKind.NOT_ASKED, "", "", reason))


NEVER_REACHED: Missing = Missing(MissingKind.NOT_ASKED, "", "", "not reached")
