# SPDX-License-Identifier: Apache-2.0
"""The commands of the program, as Typer sees them: options in, a request or a file handed on, an exit code out."""
