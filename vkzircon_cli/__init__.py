# SPDX-License-Identifier: Apache-2.0
"""Diagnose how a Vulkan driver shares device memory as Zircon VMOs (VK_FUCHSIA_external_memory)."""

__version__ = "0.1.0"
