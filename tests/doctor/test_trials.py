# SPDX-License-Identifier: Apache-2.0
"""What doctor begins before the command line is read is what it goes on with, or is ended."""

from vkzircon_cli.doctor.trials import begin_early, begun
from vkzircon_cli.request import Depth, Request

PLAIN = Request(Depth.IDENTITY)


def test_trials_that_were_guessed_right_are_gone_on_with() -> None:
    """They are begun once; who asks again gets new ones."""
    begin_early(PLAIN)
    with begun(PLAIN) as first, begun(PLAIN) as second:
        assert first is not second
        assert [len(kind) > 0 for kind in first.manifests.exams()] == [True, True]


def test_trials_that_were_guessed_wrong_are_ended() -> None:
    """Nothing of them is taken for an answer to another question."""
    begin_early(PLAIN)
    other = Request(Depth.IDENTITY, timeout_s=3.0)
    with begun(other) as trials:
        assert trials.request == other
        assert trials.where.timeout_s == 3.0
