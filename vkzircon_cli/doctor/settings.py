# SPDX-License-Identifier: Apache-2.0
"""The loader's settings file: what it hides, and what it turns on or off.

Newer loaders read vk_loader_settings.json (Vulkan-Loader#1195; its keys: loader/settings.c, and for drivers #1695). The
file in force is the one whose path is in the loader's log. What is not of the expected type counts as absent, as was
tried with a loader of Vulkan 1.4.
"""

import os
import sys
from collections.abc import Iterator
from shlex import quote
from typing import Any

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, shown
from vkzircon_cli.doctor.loader_trial import SETTINGS_FILE, Asked
from vkzircon_cli.doctor.manifest import elements, texts
from vkzircon_cli.doctor.manifest_file import Unreadable, read_manifest
from vkzircon_cli.model.base import record
from vkzircon_cli.model.text import visible


@record
class Settings:
    """What a settings file does: the loader uses only these *drivers* and *devices*, None for all.

    *layers* are pairs of a layer's name, and "on" or "off".
    """

    path: str
    drivers: tuple[str, ...] | None = None
    devices: tuple[str, ...] | None = None
    layers: tuple[tuple[str, str], ...] = ()

    @property
    def effects(self) -> tuple[str, ...]:
        """Format what the file hides or changes, a phrase each."""
        limits = (("use", "drivers", self.drivers), ("list", "devices", self.devices))
        only = [
            f"makes the loader {uses} only the {kind} that it names ({', '.join(map(visible, names)) or 'none'})"
            for uses, kind, names in limits
            if names is not None
        ]
        return (*only, *(f"turns {name} {control}" for name, control in self.layers))

    def leaves_out(self, manifest: str) -> bool:
        """Whether the loader does not use the driver of this *manifest*."""
        return self.drivers is not None and os.path.realpath(manifest) not in map(os.path.realpath, self.drivers)


def settings_in_force(asked: Asked) -> Settings | None:
    """Return the settings that the loader's log names, None if it names none.

    The drivers are the only ones only if there is one, but an empty list of devices hides every device.
    """
    path = next((each for each in asked.named_files() if os.path.basename(each) == SETTINGS_FILE), "")  # noqa: PTH119
    if not path:
        return None
    try:
        root = read_manifest(path)
    except Unreadable:
        return Settings(path)
    part = _of_this_program(root)
    drivers = texts([each.get("path") for each in _objects(part.get("additional_drivers"))])
    devices = tuple(str(each.get("deviceName", "")) for each in _objects(part.get("device_configurations")))
    layers = [(each.get("name"), each.get("control")) for each in _objects(part.get("layers"))]
    return Settings(
        path,
        (drivers or None) if part.get("additional_drivers_use_exclusively") is True else None,
        devices if "device_configurations" in part else None,
        tuple((str(name), str(control)) for name, control in layers if control in ("on", "off")),
    )


def _of_this_program(root: dict[str, Any]) -> dict[str, Any]:
    """Return the settings for this program by its path, the last if there are several, else those for every program."""
    parts = _objects(root.get("settings_array", [root.get("settings")]))
    own = [part for part in parts if os.path.realpath(sys.executable) in texts(part.get("app_keys"))]
    return next(iter([*reversed(own), *(part for part in parts if "app_keys" not in part)]), {})


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list; the loader also takes the values of an object for one."""
    return [each for each in elements(value) if isinstance(each, dict)]


def settings_findings(found: Settings | None, *, has_devices: bool) -> Iterator[Finding]:
    """Yield the effect of the settings in force; it is a failure if they hide something and no device is listed."""
    if found is None:
        return
    hides = found.drivers is not None or found.devices is not None
    outcome = Outcome.INFO if not hides else Outcome.WARN if has_devices else Outcome.FAIL
    effects = " and ".join(found.effects) or "is read and changes nothing here"
    sentence = f"{shown(found.path)}, the loader's settings, {effects}."
    yield Finding("settings.in-force", shown(found.path), outcome, sentence, command=without_settings(found))


def without_settings(found: Settings) -> str:
    """Return the command that disables the settings."""
    return f"mv {quote(found.path)} {quote(found.path + '.off')}"
