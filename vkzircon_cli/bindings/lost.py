# SPDX-License-Identifier: Apache-2.0
"""How an agent fails: it ends, a call in it hangs, or it cannot do what it was asked."""


class Lost(Exception):
    """The agent ended, or a call hung in it.

    *call* is the number of that call in its frame, *name* its name where that is known, *limit_s* its step's limit.
    """

    def __init__(self, call: int, name: str = "", limit_s: float = 0.0) -> None:
        super().__init__(call, name, limit_s)
        self.call = call
        self.name = name
        self.limit_s = limit_s


class Ended(Lost):
    """The connection ended."""


class Hung(Lost):
    """A call did not return in time, and the agent ended itself."""


class Failed(Exception):
    """The agent could not do what was asked; the text is its reason."""
