# SPDX-License-Identifier: Apache-2.0
"""The emulation's personas and faults, as our own libzircon lists them."""

from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.errors import Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import did_you_mean

_ffi: Any = _abi.ffi


@record
class Entry:
    """A persona or a fault: its name and its description."""

    name: str
    description: str


def _text(characters: Any) -> str:
    return str(_ffi.string(characters).decode())


def list_faults(lib: Any) -> list[Entry]:
    """List the faults of an opened libzircon of ours."""
    numbers = range(lib.vkz_fault_count())
    return [Entry(_text(lib.vkz_fault_name(i)), _text(lib.vkz_fault_description(i))) for i in numbers]


def list_personas(lib: Any) -> list[Entry]:
    """List the personas of an opened libzircon of ours."""
    numbers = range(lib.vkz_persona_count())
    return [Entry(_text(lib.vkz_persona_name(i)), _text(lib.vkz_persona_description(i))) for i in numbers]


def refuse_unknown_faults(lib: Any) -> None:
    """Refuse names in VKZIRCON_EMULATION that *lib*, if it is our own libzircon, does not have.

    Raises `Usage` if there is such a name; the hint lists the nearest ones.
    """
    try:
        error = lib.vkz_emulation_error()
    except (AttributeError, _ffi.error):
        return  # another libzircon, which has no faults
    if error == _ffi.NULL:
        return
    sentence = _text(error)
    wanted = sentence.split('"')[1] if sentence.count('"') > 1 else sentence
    options = {entry.name: f"--fault {entry.name}" for entry in list_faults(lib)}
    options |= {entry.name: f"--persona {entry.name}" for entry in list_personas(lib)}
    near = did_you_mean(wanted.rpartition("=")[2], options)
    raise Usage(sentence.rstrip(".") + ".", f"{near} All names: vkzircon emulate --list".lstrip())
