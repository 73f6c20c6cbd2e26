# SPDX-License-Identifier: Apache-2.0
"""A minimal Typer app: it costs what Python and Typer cost."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=True)


def _show(asked: bool) -> None:
    if asked:
        typer.echo("one-option 1.0")
        raise typer.Exit


@app.command()
def main(version: Annotated[bool, typer.Option("--version", callback=_show, is_eager=True)] = False) -> None:
    """Do nothing."""


if __name__ == "__main__":
    app(prog_name="one-option")
