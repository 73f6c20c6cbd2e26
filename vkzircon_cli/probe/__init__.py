# SPDX-License-Identifier: Apache-2.0
"""Asks a machine in a fixed order, and yields a stream of events: one before and one after each question.

Calls to the driver and the kernel, and their helpers, belong here. Nothing here prints or judges an answer.
"""

from vkzircon_cli.probe.steps import probe

__all__ = ["probe"]
