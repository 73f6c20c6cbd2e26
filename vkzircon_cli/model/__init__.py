# SPDX-License-Identifier: Apache-2.0
"""All data of the program: facts, requests, the names of the spec, and pure functions over them.

Nothing here opens a library, starts a process, prints or judges.
"""
