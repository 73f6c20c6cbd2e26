# SPDX-License-Identifier: Apache-2.0
"""The commands that need no driver: they read what was saved, or tell what is known."""

from vkzircon_cli.cli.app import EPILOG, app
from vkzircon_cli.cli.options import (
    After,
    Before,
    DiffOutputFormat,
    DocumentName,
    ExplainFormat,
    NoColor,
    NoRedact,
    OutputFile,
    Quiet,
    SavedFile,
    ShowFormat,
    Verbose,
    Version,
    Word,
)
from vkzircon_cli.errors import Exit
from vkzircon_cli.output import Place, write
from vkzircon_cli.render import (
    DiffFormat,
    Format,
    Rendered,
    Style,
    View,
    WordFormat,
)
from vkzircon_cli.stream.document import SCHEMA_VERSION, DocumentKind


@app.command(epilog=EPILOG)
def show(
    file: SavedFile,
    format: ShowFormat = Rendered.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    version: Version = False,
) -> Exit:
    """Render a saved report or trace.

    It needs no Vulkan. A trace may stop anywhere: the step in which it stops is named.
    """
    from vkzircon_cli.cli.run import present
    from vkzircon_cli.saved.load import read
    from vkzircon_cli.worker import interrupt

    style = Style(View.REPORT, Format(format), verbose, not no_redact)
    return present(interrupt.endable(lambda: read(file)), style, Place(output, quiet, no_color))


@app.command(epilog=EPILOG)
def diff(
    before: Before,
    after: After,
    format: DiffOutputFormat = DiffFormat.TERMINAL,
    output: OutputFile = None,
    quiet: Quiet = False,
    no_color: NoColor = False,
    no_redact: NoRedact = False,
    version: Version = False,
) -> Exit:
    """Tell what differs between two saved reports.

    Verdicts, extension, memory types, rights and all else that was seen; times, koids and handle values are no
    difference. Exit code 0: nothing differs; 1: something does. It needs no Vulkan.
    """
    from vkzircon_cli.cli.run import compare

    return compare(before, after, format, Place(output, quiet, no_color), redacts=not no_redact)


@app.command(epilog=EPILOG)
def schema(
    document: DocumentName = DocumentKind.REPORT,
    output: OutputFile = None,
    version: Version = False,
) -> Exit:
    """Print the JSON Schema of a document.

    It is of the dialect 2020-12, and derived from what the documents are written from. It needs no Vulkan.
    """
    from vkzircon_cli.render.json import to_json
    from vkzircon_cli.saved.kinds import SHAPES
    from vkzircon_cli.saved.schema import schema_of

    title = f"vkzircon {document}, schema version {SCHEMA_VERSION}"
    write(to_json(schema_of(SHAPES[document], title)), output, as_utf8=True)
    return Exit.OK


# A number below 0 is a word here, not an option; what else looks like one is refused where the word is read.
@app.command(epilog=EPILOG, context_settings={"ignore_unknown_options": True})
def explain(
    word: Word = None,
    format: ExplainFormat = WordFormat.TERMINAL,
    output: OutputFile = None,
    no_color: NoColor = False,
    version: Version = False,
) -> Exit:
    """Say what a word of a report means.

    A check id, a VUID, a VkResult or a zx_status_t, by name or number, and the emulation's personas and faults: the
    meaning, the usual causes, what to do. Without a word: the words. It needs no Vulkan.
    """
    from vkzircon_cli import explain
    from vkzircon_cli.cli.run import page_of
    from vkzircon_cli.render import explanation

    page, as_json = page_of(Place(output, False, no_color)), format is WordFormat.JSON
    if word is None:
        groups = explain.word_groups()
        text = explanation.render_words_json(groups) if as_json else explanation.render_words(groups, page)
    else:
        found = explain.explain(word)
        render_json, render_text = explanation.render_explanations_json, explanation.render_explanations
        text = render_json(word, found) if as_json else render_text(found, page)
    write(text, output)
    return Exit.OK
