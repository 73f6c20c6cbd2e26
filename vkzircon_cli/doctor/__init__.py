# SPDX-License-Identifier: Apache-2.0
"""Examination of the system where Vulkan or the extension is missing: loader, drivers, layers, variables, devices.

Here: reading manifests as the loader does, loading libraries in tasks, findings with cause and command.

Not here: questions to Vulkan itself (probe) and the layout of findings on a page (render).
"""
