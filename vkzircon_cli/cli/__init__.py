# SPDX-License-Identifier: Apache-2.0
"""The command line: the table of commands, their options, and the run from a request to a written result.

Only this package imports Typer. Work that depends on no option belongs in the packages below.
"""
