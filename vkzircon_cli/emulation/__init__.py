# SPDX-License-Identifier: Apache-2.0
"""Finds and enables the emulation layer, and starts other programs with it; layer/ is its C source.

What the emulated device answers belongs into layer/, not here.
"""
