# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation, and their shell commands as a reader would run them.

Each command of a block of the language `sh` must succeed. A block of the language `console` has commands behind `$ `,
and what they print; a line `...` stands for any lines. A comment before a block may name its exit code, or the reason
why it cannot be run here.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from program import PROGRAM, environment
from wheels import CHECKOUT

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")])
_BLOCK = re.compile(
    r"(?:^<!-- (?:exit: (?P<exit>\d+)|not run: (?P<reason>[^\n]+)) -->\n)?"
    r"^```(?P<language>sh|console|yaml)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ELIDED = r"(?:[^\n]*\n)*?"
# What differs from machine to machine.
_FOREIGN = (
    (re.compile(r"LLVM [\d.]+, \d+ bits"), "LLVM 15.0.6, 256 bits"),
    (re.compile(r"(Vulkan |libvulkan\.so\.)1\.\d+\.\d+"), r"\g<1>1.3.239"),
    (re.compile(r"(device UUID +)[0-9a-f-]{36}$", re.MULTILINE), r"\g<1>00000000-0000-0000-0000-000000000000"),
)


@dataclass(frozen=True)
class Block:
    """A block of shell commands, at *start* of its page."""

    start: int
    end: int
    language: str
    body: str
    code: int
    reason: str | None

    @cached_property
    def script(self) -> str:
        """The commands of the block."""
        if self.language == "yaml":
            return "\n".join(_workflow_commands(self.body))
        if self.language == "sh":
            return self.body
        return "\n".join(line[2:] for line in self.body.splitlines() if line.startswith("$ "))

    def matches(self, printed: str) -> bool:
        """Whether *printed* is the output that the page shows."""
        if self.language != "console":
            return True
        shown = [line for line in self.body.splitlines(keepends=True) if not line.startswith("$ ")]
        pattern = "".join(_ELIDED if line == "...\n" else re.escape(_alike(line)) for line in shown)
        return re.fullmatch(pattern, _alike(printed)) is not None

    def with_output(self, printed: str) -> str:
        """Return the body with *printed* as its output, after the last command."""
        commands = [line for line in self.body.splitlines(keepends=True) if line.startswith("$ ")]
        return "".join([*commands, printed])


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page's text."""
    for found in _BLOCK.finditer(page):
        body = found.span("body")
        yield Block(*body, found["language"], found["body"], int(found["exit"] or 0), found["reason"])


def run(block: Block, folder: Path, env: Mapping[str, str | None]) -> subprocess.CompletedProcess[str]:
    """Run the commands of *block* in *folder*, with the program in PATH and lines of 80 columns."""
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e" if block.language != "console" else "-u", "-c", block.script],
        env=environment({"PATH": path, "COLUMNS": "80", **env}),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def _alike(text: str) -> str:
    for pattern, replacement in _FOREIGN:
        text = pattern.sub(replacement, text)
    return text


def _workflow_commands(body: str) -> Iterator[str]:
    """Yield the commands of a workflow: lines below `run: |`, and list items of vkzircon."""
    for line in body.splitlines():
        command = line.strip().removeprefix("- ")
        if command.startswith("vkzircon "):
            yield command
