"""An HTML page as a test asks about it."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        rows: the cells of each row of a table, in words.
        images: source and alternative text of each.
        headings: level and text of each.
        scopes: of the heads of tables.
        unboxed: tables outside of a box that scrolls.
        words: the text with single spaces.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.ids: list[str] = []
        self.rows: list[list[str]] = []
        self.headings: list[tuple[int, str]] = []
        self.scopes: list[str | None] = []
        self.unboxed = 0
        self.text = ""
        self._inside = ""
        self._boxed = False
        self.feed(html)
        self.rows = [[" ".join(cell.split()) for cell in row] for row in self.rows]
        self.headings = [(level, " ".join(text.split())) for level, text in self.headings]
        self.words = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.attributes += given
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if "href" in given else []
        if tag == "img":
            self.images.append((given.get("src") or "", given.get("alt") or ""))
        elif tag == "div":
            self._boxed = given.get("class") == "scroll" and given.get("tabindex") == "0"
        elif tag == "table":
            self.unboxed += not self._boxed
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = tag
            if tag == "th":
                self.scopes.append(given.get("scope"))
        elif tag in ("h1", "h2", "h3", "h4"):
            self.headings.append((int(tag[1]), ""))
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside in ("td", "th"):
            self.rows[-1][-1] += data
        elif self._inside:
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
