# SPDX-License-Identifier: Apache-2.0
"""Finds and enables the emulation layer, and starts other programs with it; layer/ is its C source.

The answers of the emulated device belong in layer/, not here.
"""
