# SPDX-License-Identifier: Apache-2.0
"""What a command's time is made of, each part alone: what of a missed target is whose."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from measure import sample
from rows import HERE, PROBE, Where, told_ms

_LOADED = (
    "from vkzircon_cli import probe; from vkzircon_cli.bindings import vk; from vkzircon_cli.worker import protocol; "
    "vk.binding()"
)
_PARENT = "import vkzircon_cli.cli.main, vkzircon_cli.cli.run, vkzircon_cli.worker.dialogue"


@dataclass(frozen=True)
class Part:
    """The median of one part, in milliseconds."""

    what: str
    ms: float


def parts(where: Where) -> list[Part]:
    """Measure them all; those of the C program only where it is built."""
    emulated, python = where.under_emulation, where.python
    measured: dict[str, Callable[[], float]] = {
        "Python that does nothing": lambda: _wall(where, python, "-c", "pass"),
        "a Typer app with one option, its --version": lambda: _wall(
            where, python, str(HERE / "one_option.py"), "--version"
        ),
        "Python that loads all that the parent of check needs": lambda: _wall(where, python, "-c", _PARENT),
        "Python that loads all that the child needs": lambda: _wall(where, python, "-c", _LOADED),
        "the probe of check in it, the second process included": lambda: told_ms(
            [python, "-c", PROBE, "everything", "common"], emulated
        ),
        "vulkaninfo --summary": lambda: _wall(where, "vulkaninfo", "--summary"),
    }
    if where.baseline is not None:
        for mode in ("devices", "check"):
            command = [str(where.baseline), "--time", mode]
            measured[f"the calls of {mode} from C"] = lambda command=command: told_ms(command, emulated)  # type: ignore[misc]
    return [Part(what, statistics.median(once() for _ in range(where.pairs))) for what, once in measured.items()]


def _wall(where: Where, *command: str) -> float:
    return sample(command, where.environ).wall_s * 1000
