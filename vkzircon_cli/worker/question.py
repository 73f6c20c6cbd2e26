# SPDX-License-Identifier: Apache-2.0
"""What is sent to a child, as one line: the request, the environment to add, and what its forerunners got answered."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Stop
from vkzircon_cli.model.base import plain
from vkzircon_cli.model.request import Request
from vkzircon_cli.worker import worker


def question(request: Request, environ: Mapping[str, str], answered: Mapping[str, Any]) -> bytes:
    """Write the question down; `guard.answer` reads it."""
    asked = {"request": plain(request), "environ": environ, "answered": answered}
    return json.dumps(asked).encode("ascii") + b"\n"


def ask_early(request: Request) -> None:
    """Have the child that is there begin, while this side still imports what it takes to listen.

    Where something else is asked in the end, it was begun in vain, and another child is asked that.
    """
    with suppress(Stop):  # the run says so
        environ = installation.variables(os.environ, request.emulate) if request.emulate else {}
        worker.ask_early(question(request, environ, {}))
