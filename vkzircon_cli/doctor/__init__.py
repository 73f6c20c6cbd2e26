# SPDX-License-Identifier: Apache-2.0
"""Why Vulkan, or the extension, is not there: looked at from outside, so that it works when nothing else does."""
