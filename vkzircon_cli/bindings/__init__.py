# SPDX-License-Identifier: Apache-2.0
"""The only code that calls libraries: Vulkan, Zircon and the linker.

Types, constants and calls belong here; the probe decides which questions to ask.
"""
