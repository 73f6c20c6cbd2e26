# SPDX-License-Identifier: Apache-2.0
"""Doctor through an agent: what its process sees, and what is not examined."""

import subprocess
from pathlib import Path
from typing import Any

from program import Ran, Run

HOST_ONLY = "only on the machine that it runs on"


def _ids(ran: Ran) -> dict[str, tuple[str, str]]:
    """Return the outcome and the cause of each finding without children."""
    found: dict[str, tuple[str, str]] = {}

    def add(findings: list[dict[str, Any]]) -> None:
        for each in findings:
            add(each["children"])
            if not each["children"]:
                found[each["id"]] = (each["outcome"], each["cause"])

    add(ran.json["findings"])
    return found


def test_it_sees_what_the_agent_sees(emulated: Run, agent: Path) -> None:
    """Loader and extension are those of the device; manifests and nodes are reported as not examined, with why."""
    ran = emulated("doctor", "-f", "json", "--agent", str(agent))
    assert (ran.code, ran.err) == (0, "")
    branches = [finding["id"] for finding in ran.json["findings"]]
    assert branches == ["loader", "variables", "drivers", "layers", "access", "extension"]
    found = _ids(ran)
    assert (found["loader.opened"][0], found["extension.offered"][0]) == ("pass", "pass")
    for part in ("drivers", "layers"):
        outcome, cause = found[f"{part}.not-looked-at"]
        assert (outcome, HOST_ONLY in cause) == ("skip", True)
    assert found["access.not-tried"][0] == "skip"


def test_paths_and_variables_are_those_of_the_device(vkzircon: Run, agent: Path, lavapipe: str) -> None:
    """A path that the device's variable names is looked for there; this process's variables do not count."""
    there = "VK_DRIVER_FILES=/no/such.json VK_LAYER_PATH=/no/folder VKZIRCON_PLATFORM=fuchsia"
    through = f"env -u VK_LOADER_DEBUG {there} {agent}"
    ran = vkzircon("doctor", "-f", "json", "--agent", through, VK_DRIVER_FILES=lavapipe, VK_LOADER_DEBUG="error")
    assert ran.code == 4
    parts = {branch["id"]: branch["children"] for branch in ran.json["findings"]}
    missing = [
        child["subject"] for part in ("drivers", "layers") for child in parts[part] if "not-found" in child["id"]
    ]
    assert missing == ["/no/such.json", "/no/folder"]
    set_there = {word.partition("=")[0] for word in there.split()}
    assert {child["subject"] for child in parts["variables"]} == set_there
    assert _ids(ran)["access.not-routed"][0] in ("fail", "warn", "info")


def test_a_library_is_opened_in_the_agents_process(vkzircon: Run, agent: Path, tmp_path: Path) -> None:
    """One that ends the process ends the agent, and one that is not a loader is reported as such."""
    for statement, word, outcome in (("abort();", "crashes", "crash"), ("", "not-a-loader", "fail")):
        source, library = tmp_path / "library.c", tmp_path / f"{word}.so"
        start = f"__attribute__((constructor)) static void start(void) {{ {statement} }}"
        source.write_text(f"#include <stdlib.h>\n{start}\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        ran = vkzircon("doctor", "-f", "json", "--agent", f"env VKZIRCON_LIBVULKAN={library} {agent}")
        assert _ids(ran)[f"loader.{word}"][0] == outcome


def test_without_an_agent_nothing_is_examined(vkzircon: Run) -> None:
    """Each part says why, and the exit code is that of the connection."""
    ran = vkzircon("doctor", "-f", "json", "--agent", "true")
    assert ran.code == 4
    found = _ids(ran)
    assert found["probe.no-agent"][0] == "fail"
    for part in ("loader.not-tried", "drivers.not-looked-at", "layers.not-looked-at", "access.not-looked-at"):
        assert found[part] == ("skip", "There is no agent.")
