# SPDX-License-Identifier: Apache-2.0
"""A handle belongs to this process, or to the driver that has imported it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vkzircon_cli.errors import Refused
from vkzircon_cli.probe.handles import OwnedHandle, taking
from vkzircon_cli.probe.resources import Memory


@contextmanager
def _refused(call: str) -> Iterator[Memory]:
    """Fail like an import whose *call* returned an error."""
    if call:
        raise Refused(call, "VK_ERROR_OUT_OF_DEVICE_MEMORY")
    yield Memory(None, 1, 0)


@pytest.mark.parametrize(
    ("call", "taken"), [("vkAllocateMemory", False), ("vkBindBufferMemory", True), ("vkBindImageMemory", True)]
)
def test_an_import_whose_binding_is_refused_took_the_handle(call: str, taken: bool) -> None:
    """The memory existed, and freeing it closed the handle: its number may belong to another handle by now."""
    handle = OwnedHandle(None, 5)
    with pytest.raises(Refused), taking(handle, _refused(call)):
        pass
    assert handle.taken is taken
