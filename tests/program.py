# SPDX-License-Identifier: Apache-2.0
"""The program as tests run it: its console script, in an environment without the developer's own settings."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from vkzircon_cli.model.request import DocumentKind
from vkzircon_cli.saved.kinds import SHAPES
from vkzircon_cli.saved.schema import schema_of

PROGRAM = Path(sys.executable).with_name("vkzircon")
_OURS = ("VK_", "VKZIRCON_", "_VKZIRCON", "XDG_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHON")


@dataclass(frozen=True)
class Ran:
    """The exit code and the output of a run."""

    code: int
    out: str
    err: str

    @cached_property
    def json(self) -> Any:
        """The JSON document on standard output, validated if it has a schema."""
        document = json.loads(self.out)
        problems = [error.message for error in schema_errors(document)]
        assert not problems, problems[:3]
        return document


def schema_errors(document: Any) -> Iterator[ValidationError]:
    """Yield the errors of a document against its schema; a key that the schema lacks is an error too."""
    return _validator(document["kind"]).iter_errors(document) if "kind" in document else iter(())


@cache
def _validator(kind: str) -> Draft202012Validator:
    schema = schema_of(SHAPES[DocumentKind(kind)], "")
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return Draft202012Validator(schema)


Run = Callable[..., Ran]


def environment(env: Mapping[str, str | None]) -> dict[str, str]:
    """Return a clean environment with *env* on top; None removes a variable."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    merged: dict[str, str | None] = {**base, "TERM": "xterm-256color", **env}
    return {name: value for name, value in merged.items() if value is not None}
