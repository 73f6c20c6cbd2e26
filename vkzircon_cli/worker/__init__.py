# SPDX-License-Identifier: Apache-2.0
"""Processes: starts them, exchanges messages with them, watches and ends them.

The work of a process is passed in as a function; nothing here imports the probe.
"""
