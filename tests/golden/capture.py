# SPDX-License-Identifier: Apache-2.0
"""Write the captures: ``capture.py`` for those of lavapipe, ``capture.py NAME FILE`` for a report of another machine.

What tells of the machine that they were made on is taken out.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "captures"
PROGRAM = Path(sys.executable).with_name("vkzircon")
LAVAPIPE = next(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json"))
CAPTURES = {
    "lavapipe-emulated": ("--emulate",),
    "lavapipe": (),
    "swiftshader": ("--emulate", "--persona", "swiftshader"),
    "goldfish": ("--emulate", "--persona", "goldfish", "--negative"),
    "magma": ("--emulate", "--persona", "magma"),
    "crashed": ("--emulate", "--fault", "segfault-in-export"),
    "hung": ("--emulate", "--fault", "hang-in-import", "--timeout", "0.5"),
    "no-driver": (),
}


def capture(name: str, arguments: tuple[str, ...]) -> str:
    """Run the program and return its report, cleaned."""
    driver = "/usr/share/vulkan/icd.d/none.json" if name == "no-driver" else str(LAVAPIPE)
    environ = {"PATH": os.environ["PATH"], "VK_DRIVER_FILES": driver}
    asked = subprocess.run([PROGRAM, *arguments, "--format", "json"], env=environ, capture_output=True, check=False)
    return cleaned(json.loads(asked.stdout))


def cleaned(document: Any) -> str:
    """Return a report as text, without what tells of the machine: its system, paths, time and the UUID of hardware."""
    document["environment"]["system"] = "Linux 6.1.0"
    document["run"]["started"] = "2026-01-01T00:00:00Z"
    for device in document["devices"]:
        identity = device["identity"]["value"]
        if identity["type"]["name"] != "CPU" and identity["uuids"]["value"]:
            identity["uuids"]["value"]["device_uuid"] = "00112233-4455-6677-8899-aabbccddeeff"
    text = json.dumps(document, indent=2).replace("\x7f", "\\u007f")
    return re.sub(r"\"/[^\s\"]*?/vkzircon_cli", '"~/vkzircon_cli', text) + "\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case [elsewhere, file]:
            (FOLDER / f"{elsewhere}.json").write_text(cleaned(json.loads(Path(file).read_text("utf-8"))), "utf-8")
        case _:
            for each, options in CAPTURES.items():
                (FOLDER / f"{each}.json").write_text(capture(each, options), encoding="utf-8")
