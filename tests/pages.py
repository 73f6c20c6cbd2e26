# SPDX-License-Identifier: Apache-2.0
"""Parser of HTML pages for tests: start tags in order, text, and whether the page is well formed."""

from html.parser import HTMLParser

Tag = tuple[str, tuple[tuple[str, str | None], ...]]
_VOID = frozenset({"meta", "link", "img", "br", "hr", "input", "base", "embed", "source", "wbr"})
_CLOSED_ALONE = frozenset({"rect", "circle", "path", "line"})


class Parsed(HTMLParser):
    """A page's tags with their attributes, its text, and the tags that are not closed or opened properly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.texts: list[str] = []
        self.misfits: list[str] = []
        self.comments: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.misfits += self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))
        if tag not in _CLOSED_ALONE:
            self.misfits.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.misfits.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags for name, value in attrs if name == attribute and value is not None]
