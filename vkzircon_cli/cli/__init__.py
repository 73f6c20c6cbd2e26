# SPDX-License-Identifier: Apache-2.0
"""The command line: options, commands, and what each does with its request.

Only this room imports Typer; work that has no option belongs below.
"""
