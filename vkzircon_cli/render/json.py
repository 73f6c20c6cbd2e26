# SPDX-License-Identifier: Apache-2.0
"""Documents for programs: strict JSON, with the same keys on every machine."""

import json
from typing import Any

from vkzircon_cli.model.base import to_document
from vkzircon_cli.model.text import without_commands


def render_json(document: Any) -> str:
    """Write a record as one document."""
    return to_json(to_document(document))


def to_json(document: dict[str, Any]) -> str:
    """Write *document* as ASCII JSON: no NaN, integers decimal, and no control character but the line feed."""
    text = json.dumps(document, indent=2, allow_nan=False)
    # json leaves DEL alone, which some terminals interpret; it only occurs inside strings.
    return without_commands(text.replace("\x7f", "\\u007f")) + "\n"
