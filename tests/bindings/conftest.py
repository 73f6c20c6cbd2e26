# SPDX-License-Identifier: Apache-2.0
"""An arena without an agent."""

from collections.abc import Iterator

import pytest
from agent_side import ADDRESS, SIZE

from vkzircon_cli.bindings.arena import Arena


@pytest.fixture(name="arena")
def _arena() -> Iterator[Arena]:
    made = Arena(ADDRESS, SIZE)
    yield made
    made.close()
