# SPDX-License-Identifier: Apache-2.0
"""Events as lines of JSON and their fold into facts.

The layout of an event and of its answer belongs here; who makes or draws them does not.
"""
