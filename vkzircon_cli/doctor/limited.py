# SPDX-License-Identifier: Apache-2.0
"""Names a limit of this process as the cause of what it may have spoiled: libraries are loaded under it too."""

import errno
import os
from collections.abc import Sequence
from dataclasses import replace

from vkzircon_cli.doctor.finding import Finding, leaves
from vkzircon_cli.errors import by_limit
from vkzircon_cli.model.limits import Limit, limit_in_the_way
from vkzircon_cli.stream.decoding import decode
from vkzircon_cli.stream.events import Failure, error

# A lack of memory, files or threads may cause these.
_OF_LACK = ("library.crashes", "library.exits", "loader.crashes", "manifest.not-used", "layer.not-used")
# It may cause these if the linker's words are of a lack.
_REFUSED = ("loader.refused", "manifest.not-loaded", "layer.not-loaded")
_WORDS = ("failed to map segment", os.strerror(errno.ENOMEM), os.strerror(errno.EMFILE))


def under_limit(findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], Failure | None]:
    """Return the *findings* with the limit that is in the way as the cause, and the error that names it.

    The error is None if no finding can be the effect of a limit, or if no limit is in the way.
    """
    spoiled = next(filter(_is_of_lack, leaves(findings)), None)
    if spoiled is None or (limit := limit_in_the_way()) is None:
        return tuple(findings), None
    limited = by_limit(spoiled.sentence.removesuffix("."))
    failure = decode(Failure, error(limited, limited.cause)) if limited else None
    return tuple(_caused(each, limit) for each in findings), failure


def _caused(finding: Finding, limit: Limit) -> Finding:
    finding = replace(finding, children=tuple(_caused(child, limit) for child in finding.children))
    return replace(finding, cause=limit.words, command=limit.fix) if _is_of_lack(finding) else finding


def _is_of_lack(finding: Finding) -> bool:
    words = " ".join(finding.evidence)
    return finding.id in _OF_LACK or (finding.id in _REFUSED and any(each in words for each in _WORDS))
