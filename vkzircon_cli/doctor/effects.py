# SPDX-License-Identifier: Apache-2.0
"""The environment variables that lead the loader: what each does here, or why it does nothing.

What is said was seen with the loader of Vulkan 1.3.239, also in a process with raised privileges.
"""

from collections.abc import Iterator

from vkzircon_cli.checks import Outcome
from vkzircon_cli.doctor.finding import Finding, branch
from vkzircon_cli.doctor.loader import shown
from vkzircon_cli.doctor.surroundings import Surroundings
from vkzircon_cli.model.base import record
from vkzircon_cli.model.host import EMULATION_VARIABLE, LIBVULKAN_VARIABLE, LIBZIRCON_VARIABLE, PLATFORM_VARIABLE
from vkzircon_cli.model.spec import Version, api_version

_1_3_207, _1_3_234, _1_3_262 = (1 << 22 | 3 << 12 | patch for patch in (207, 234, 262))
_NOTHING = "does nothing"


@record
class _Effect:
    """What a variable does.

    *empty* is what it does when it is set and empty, and *empties* whether that takes drivers or layers away. *yields*
    are the variables beside which it is ignored, *since* is the first loader that knows it. *is_secure* ones are
    ignored in a process with raised privileges.
    """

    does: str
    empty: str = _NOTHING
    empties: Outcome = Outcome.INFO
    yields: tuple[str, ...] = ()
    since: int = 0
    is_secure: bool = True


_DRIVERS_ONLY = "makes the loader read the driver manifests that it names, and no others"
_NO_DRIVER = "takes every driver away: the loader reads no manifest at all"
EFFECTS = {
    "VK_DRIVER_FILES": _Effect(_DRIVERS_ONLY, _NO_DRIVER, Outcome.FAIL, since=_1_3_207),
    "VK_ICD_FILENAMES": _Effect(_DRIVERS_ONLY, _NO_DRIVER, Outcome.FAIL, ("VK_DRIVER_FILES",)),
    "VK_ADD_DRIVER_FILES": _Effect(
        "adds the driver manifests that it names to the usual ones",
        yields=("VK_DRIVER_FILES", "VK_ICD_FILENAMES"),
        since=_1_3_207,
    ),
    "VK_LAYER_PATH": _Effect(
        "makes the loader look for explicit layers where it says, and nowhere else",
        "takes every explicit layer away: the loader looks for them nowhere",
        Outcome.WARN,
    ),
    "VK_ADD_LAYER_PATH": _Effect(
        "makes the loader look for explicit layers where it says as well",
        yields=("VK_LAYER_PATH",),
        since=_1_3_207,
    ),
    "VK_INSTANCE_LAYERS": _Effect("turns on the layers that it names", is_secure=False),
    "VK_LOADER_DEBUG": _Effect("makes the loader print what it does", is_secure=False),
    "VK_LOADER_DRIVERS_SELECT": _Effect(
        "leaves out every driver whose manifest's file name does not match", since=_1_3_234
    ),
    "VK_LOADER_DRIVERS_DISABLE": _Effect("leaves out the drivers whose manifest's file name matches", since=_1_3_234),
    "VK_LOADER_LAYERS_ENABLE": _Effect("turns on the layers whose name matches", since=_1_3_234),
    "VK_LOADER_LAYERS_DISABLE": _Effect("turns off the layers whose name matches", since=_1_3_234),
    "VK_LOADER_LAYERS_ALLOW": _Effect(
        "exempts the layers whose name matches from VK_LOADER_LAYERS_DISABLE", since=_1_3_262
    ),
    "VK_LOADER_DEVICE_SELECT": _Effect("puts the device that it names first", is_secure=False),
    LIBVULKAN_VARIABLE: _Effect("makes vkzircon open the library that it names as the loader", is_secure=False),
    LIBZIRCON_VARIABLE: _Effect("makes vkzircon open the library that it names as libzircon", is_secure=False),
    PLATFORM_VARIABLE: _Effect("decides what platform vkzircon takes this for", is_secure=False),
    EMULATION_VARIABLE: _Effect("says how the emulation behaves where it is on", is_secure=False),
    "XDG_CONFIG_HOME": _Effect("is searched for manifests instead of ~/.config"),
    "XDG_CONFIG_DIRS": _Effect("is searched for manifests instead of /etc/xdg"),
    "XDG_DATA_HOME": _Effect("is searched for manifests instead of ~/.local/share"),
    "XDG_DATA_DIRS": _Effect("is searched for manifests instead of /usr/local/share and /usr/share"),
}


def variables_finding(where: Surroundings, loader: Version | None) -> Finding:
    """Tell of each variable that is set what it does; *loader* is the version of the one that reads them, if any."""
    children = list(_each(where, loader))
    several = f"{len(children)} variables that lead the loader are set."
    sentences = {0: "No variable that leads the loader is set.", 1: "1 variable that leads the loader is set."}
    return branch("variables", "environment", sentences.get(len(children), several), children)


def _each(where: Surroundings, loader: Version | None) -> Iterator[Finding]:
    for name, effect in EFFECTS.items():
        if (value := where.environ.get(name)) is not None:
            yield _found(name, value, effect, where, loader)


def _found(name: str, value: str, effect: _Effect, where: Surroundings, loader: Version | None) -> Finding:
    by = next((other for other in effect.yields if other in where.environ), None)
    command = f"unset {name}"

    def finding(word: str, outcome: Outcome, said: str, cause: str, command: str = command) -> Finding:
        return Finding(
            f"variable.{word}", name, outcome, f"{name} {said}.", (f"{name}={shown(value)}",), cause, command
        )

    if where.elevated and effect.is_secure:
        cause = "this process runs with raised privileges (set-user-ID, set-group-ID): the loader trusts none of it"
        return finding("ignored", Outcome.WARN, "is ignored", cause, "id")
    if loader is not None and loader.value < effect.since:
        cause = f"the loader is of Vulkan {loader.text}, and {api_version(effect.since).text} brought the variable"
        return finding("unknown", Outcome.WARN, "is ignored", cause)
    if by is not None:
        cause = f"{by} is set{'' if where.environ[by] else ' (to nothing)'}, and goes before it"
        return finding("overridden", Outcome.INFO, f"is ignored beside {by}", cause, f"unset {by}")
    if not value:
        cause = "set and empty is not the same as unset" if effect.empty is not _NOTHING else "it is empty"
        return finding("empty", effect.empties, f"is set, but empty, and {effect.empty}", cause)
    return finding("in-force", Outcome.INFO, effect.does, "")
