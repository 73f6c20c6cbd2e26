# SPDX-License-Identifier: Apache-2.0
"""docs/fuchsia.md, and the files that build the agent's package, as far as they can be tried without Fuchsia."""

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from program import PROGRAM, environment
from wheels import CHECKOUT

from vkzircon_cli.emulation.installation import Installation, variables
from vkzircon_cli.model.request import Emulate

_PAGE = (CHECKOUT / "docs/fuchsia.md").read_text().partition("### Build the package")[2]
_AGENT = CHECKOUT / "vkzircon_cli/emulation/agent"
# What `ffx component run` prints before it connects the component's streams, and after its own options are checked.
_FFX = """#!/bin/sh
[ "$#/$1/$2/$3/$4" = 6/component/run/--recreate/--connect-stdio ] || exit 64
printf 'URL: %s\\nMoniker: %s\\n' "$6" "$5"
printf '%s component instance...\\n' Creating Resolving Starting
exec "$VKZIRCON_TEST_AGENT"
"""


def _blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)


def test_its_vkzircon_commands_work(agent: Path, lavapipe: str, layer: Installation, tmp_path: Path) -> None:
    """They run as the page has them, with a program in place of ffx that starts the agent on this machine."""
    assert layer.manifest.is_file()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ffx").write_text(_FFX)
    (tools / "ffx").chmod(0o755)
    (tools / "vkzircon").symlink_to(PROGRAM)
    env = environment(
        {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "VK_DRIVER_FILES": lavapipe,
            "VKZIRCON_TEST_AGENT": str(agent),
            **variables({}, Emulate(None, ())),
        }
    )
    ours = [block for block in _blocks() if re.search("^vkzircon ", block, re.MULTILINE)]
    assert len(ours) == 2
    for block in ours:
        ran = subprocess.run(["sh", "-euc", block], cwd=tmp_path, env=env, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
    assert {path.name for path in (tmp_path / "vkzircon-agent").iterdir()} == {path.name for path in _AGENT.iterdir()}
    assert "llvmpipe" in (tmp_path / "report.html").read_text()


def test_the_packages_files_agree_with_each_other_and_with_the_page() -> None:
    """The URL of the page leads to the program through the names in the manifest, BUILD.gn and BUILD.bazel."""
    manifest = re.sub(r"^\s*//.*$", "", (_AGENT / "vkzircon-agent.cml").read_text(), flags=re.MULTILINE)
    strict = re.sub(r",(\s*[}\]])", r"\1", re.sub(r"(\w+):", r'"\1":', manifest))  # JSON5, as far as it is used
    program = json.loads(strict)["program"]["binary"].removeprefix("bin/")
    gn = (_AGENT / "BUILD.gn").read_text()
    assert f'output_name = "{program}"' in gn
    assert f'fuchsia_package_with_single_component("{program}")' in gn
    rules = dict(map(_called, ast.parse((_AGENT / "BUILD.bazel").read_text()).body))
    assert rules["fuchsia_cc_binary"]["name"] == rules["fuchsia_package"]["package_name"] == program
    assert rules["fuchsia_component_manifest"]["src"] == f"{program}.cml"
    assert f"fuchsia.com/{program}#meta/{program}.cm" in _PAGE
    for file in rules["fuchsia_cc_binary"]["srcs"]:
        assert (_AGENT / file).is_file()
        assert f'"{file}"' in gn


def test_every_file_of_the_package_is_marked_as_not_run() -> None:
    """A file that was never on a device says so."""
    for name in ("BUILD.gn", "BUILD.bazel", "vkzircon-agent.cml"):
        assert "Not run on a device" in (_AGENT / name).read_text(), name


def _called(statement: ast.stmt) -> tuple[str, dict[str | None, Any]]:
    """Return the name and the arguments of a call of a Bazel rule, whose syntax is Python's."""
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    arguments = {word.arg: ast.literal_eval(word.value) for word in statement.value.keywords}
    return ast.unparse(statement.value.func), arguments
