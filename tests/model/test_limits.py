# SPDX-License-Identifier: Apache-2.0
"""A limit is named only if it is in the way."""

import pytest

from vkzircon_cli.model import limits


@pytest.mark.parametrize("room", [1 << 20, 1 << 62])
def test_room_that_the_system_does_not_have_is_no_refused_call(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Without a limit on address space, a mapping that does not fit shows nothing about munmap."""
    monkeypatch.setattr(limits, "_ROOM", room)
    assert limits.limit_in_the_way() is None
