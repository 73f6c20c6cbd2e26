# SPDX-License-Identifier: Apache-2.0
"""What is known, as data: facts, requests, the words of the spec, and pure functions over them.

Nothing here opens a library, starts a process, prints or judges.
"""
