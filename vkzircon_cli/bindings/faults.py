# SPDX-License-Identifier: Apache-2.0
"""The emulation's personas and faults, as our own libzircon lists them."""

from typing import Any

from vkzircon_cli.bindings import _abi
from vkzircon_cli.bindings.caller import LOCAL, Caller
from vkzircon_cli.errors import CannotAsk, Usage
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import EMULATION_VARIABLE
from vkzircon_cli.model.text import decode, did_you_mean

_ffi: Any = _abi.ffi
_MOST = 1000  # limit in case the library's count is wrong


@record
class Entry:
    """A persona or a fault: its name and its description."""

    name: str
    description: str


def _text(caller: Caller, characters: Any) -> str:
    return decode(caller.string(_ffi, characters))[0]


def list_faults(lib: Any, caller: Caller = LOCAL) -> list[Entry]:
    """List the faults of a libzircon of ours that *caller* opened."""
    return [
        Entry(_text(caller, lib.vkz_fault_name(i)), _text(caller, lib.vkz_fault_description(i)))
        for i in range(min(lib.vkz_fault_count(), _MOST))
    ]


def list_personas(lib: Any, caller: Caller = LOCAL) -> list[Entry]:
    """List the personas of a libzircon of ours that *caller* opened."""
    return [
        Entry(_text(caller, lib.vkz_persona_name(i)), _text(caller, lib.vkz_persona_description(i)))
        for i in range(min(lib.vkz_persona_count(), _MOST))
    ]


def refuse_unusable(lib: Any, caller: Caller = LOCAL) -> None:
    """Refuse *lib* if it is our own libzircon and cannot emulate here.

    Raises:
        Usage: VKZIRCON_EMULATION names a persona or fault that *lib* does not have; the hint lists the nearest ones.
        CannotAsk: the system refuses to create a memfd, which holds a VMO's bytes.
    """
    try:
        error = lib.vkz_emulation_error()
    except (AttributeError, _ffi.error):
        return  # another libzircon, which has no faults
    if error == _ffi.NULL:
        return
    sentence = _text(caller, error)
    if not sentence.startswith(EMULATION_VARIABLE):
        message = f"The emulation cannot make a VMO here: {sentence}"
        raise CannotAsk("no-memfd", message, "Raise the limit (ulimit -a), or allow the call in the sandbox.")
    wanted = sentence.split('"')[1] if sentence.count('"') > 1 else sentence
    options = {entry.name: f"--fault {entry.name}" for entry in list_faults(lib, caller)}
    options |= {entry.name: f"--persona {entry.name}" for entry in list_personas(lib, caller)}
    near = did_you_mean(wanted.rpartition("=")[2], options)
    said = sentence.removeprefix(f"{EMULATION_VARIABLE}: ").rstrip(".")
    message = f"{said[:1].upper()}{said[1:]} (--fault, --persona or {EMULATION_VARIABLE})."
    raise Usage(message, f"{near} All names: vkzircon emulate --list".lstrip())
