# SPDX-License-Identifier: Apache-2.0
"""Events as lines of JSON, their fold into facts, and the base of all documents.

The layout of events and documents belongs here. The probe, which makes events, and the renderers belong elsewhere.
"""
