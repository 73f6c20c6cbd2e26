# SPDX-License-Identifier: Apache-2.0
"""Processes: how one is started, talked to, watched and ended.

What a process is asked to do is passed in; nothing here imports the probe.
"""
