# SPDX-License-Identifier: Apache-2.0
"""Write the captures that lavapipe gives anew: ``python tests/golden/capture.py``; the H100's came from its machine.

What tells of the machine that they were made on is taken out.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

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
    """Run the program and give its report, which is of nobody's machine."""
    driver = "/usr/share/vulkan/icd.d/none.json" if name == "no-driver" else str(LAVAPIPE)
    environ = {"PATH": os.environ["PATH"], "VK_DRIVER_FILES": driver}
    asked = subprocess.run([PROGRAM, *arguments, "--format", "json"], env=environ, capture_output=True, check=False)
    document = json.loads(asked.stdout)
    document["environment"]["system"] = "Linux 6.1.0"
    document["run"]["started"] = "2026-01-01T00:00:00Z"
    text = json.dumps(document, indent=2).replace("\x7f", "\\u007f")
    return re.sub(rf"{re.escape(str(Path(sys.prefix)))}[^\s\"]*?/vkzircon_cli", "~/vkzircon_cli", text) + "\n"


if __name__ == "__main__":
    for each, options in CAPTURES.items():
        (FOLDER / f"{each}.json").write_text(capture(each, options), encoding="utf-8")
