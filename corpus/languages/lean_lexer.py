"""Lean 4 text beside a copy of it in which comments and strings are blank: rules of words alone."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

_STRING = r'"(?:[^"\\]|\\.)*+"'
_CHARACTER = r"""'(?<![\w'!?]')(?:\\(?:x..|u....|.)|[^\\'\n])'"""
_OTHERS = rf"--[^\n]*|/-|{_CHARACTER}|«[^«»\n]*»"
_TOKEN = re.compile(rf'{_STRING}|{_OTHERS}|"', re.DOTALL)
# After a string that never ends, each later one would be read to the end of the file again.
_TOKEN_OF_LINE = re.compile(rf'"(?:[^"\\\n]|\\[^\n])*+"|{_OTHERS}|"', re.DOTALL)
_HOLE = rf'\{{(?:[^{{}}"]|{_STRING}|\{{[^{{}}"]*+\}})*+\}}'
_INTERPOLATED = re.compile(rf'"(?:[^"\\{{]|\\.|{_HOLE})*+"', re.DOTALL)
_RAW = re.compile(r"(?<![\w'])r(#*)$")
_LONGEST_RAW_MARK = 32
_COMMENT_MARK = re.compile(r"/-|-/")
_CODE_BESIDE = re.compile(r"[ \t]*(?=\S)")
_BRACKETS = ("()", "[]", "{}", "⟨⟩")
_NO_BRACKETS = str.maketrans(dict.fromkeys("".join(_BRACKETS), "_"))


class Span(NamedTuple):
    """A piece of the text, by its offsets."""

    start: int
    end: int


class Blanked:
    """A file's text and its code alone.

    Attributes:
        text: as written, with a line end before it, so that every line follows one.
        code: of the same length; comments are spaces, strings and characters are spaces in quotes,
            brackets in «names» are underscores. Code beside a comment at the left margin begins a line.
        comments: where the comments are.
        docs: those of them that document what follows.
        titles: those of them that are prose of the file's own.
        is_closed: every comment and string ends.
    """

    def __init__(self, text: str) -> None:
        self.text = "\n" + text
        self.comments: list[tuple[int, int]] = []
        self.docs: list[Span] = []
        self.titles: list[Span] = []
        self.is_closed = True
        self._token = _TOKEN
        self._is_sound = True
        pieces = self._pieces()
        self.code = "".join(pieces)
        self._bare = "".join(pieces[::2])  # brackets stand nowhere else

    def is_balanced(self) -> bool:
        """Everything that opens is closed, comments, strings and brackets."""
        count = self._bare.count
        return self.is_closed and all(count(pair[0]) == count(pair[1]) for pair in _BRACKETS)

    def on_one_line(self, start: int, end: int) -> str:
        """The text without its comments."""
        written = self.text[start:end]
        if "-" in written and ("--" in written or "/-" in written):
            written = " ".join(self._between_comments(start, end))
        if "\n" in written or "  " in written or "\t" in written:
            return " ".join(written.split())
        return written.strip()

    def _between_comments(self, start: int, end: int) -> Iterator[str]:
        first = bisect_left(self.comments, (start, start))
        last = bisect_left(self.comments, (end, end), first)
        for comment_start, comment_end in self.comments[first:last]:
            yield self.text[start:comment_start]
            start = comment_end
        yield self.text[start:end]

    def _pieces(self) -> list[str]:
        """Code and, in its turn, what stands for a comment, a string or a name."""
        text = self.text
        pieces: list[str] = []
        done = 0
        while found := self._token.search(text, done):
            start, end = found.span()
            first = text[start]
            pieces.append(text[done:start])
            done = end
            if first in "\"'":
                if text[start - 1] in "r#!" or done - start == 1:
                    done = self._string_end(start, done)
                piece = '"' + " " * (done - start - 2) + '"' * (done - start > 1)
            elif first == "«":
                piece = found[0].translate(_NO_BRACKETS)
            elif first == "-":
                self.comments.append((start, done))
                piece = " " * (done - start)
            else:
                comment = self._comment(start)
                done = comment.end
                beside = _CODE_BESIDE.match(text, done) if text[start - 1] == "\n" else None
                if beside:
                    done = beside.end()
                piece = " " * (done - start - 1) + ("\n" if beside else " ")
            pieces.append(piece)
        pieces.append(text[done:])
        return pieces

    def _comment(self, start: int) -> Span:
        text = self.text
        span = Span(start, self._comment_end(start))
        self.comments.append((start, span.end))
        if text.startswith("/--", start) and span.end - start > len("/--/"):
            self.docs.append(span)
        elif text.startswith("/-!", start):
            self.titles.append(span)
        return span

    def _comment_end(self, start: int) -> int:
        inner = start + 2
        end = self.text.find("-/", inner)
        if end >= 0 and self.text.find("/-", inner, end + 1) < 0:
            return end + 2
        depth = 1
        for mark in _COMMENT_MARK.finditer(self.text, inner):
            depth += 1 if mark[0] == "/-" else -1
            if not depth:
                return mark.end()
        self.is_closed = False
        return len(self.text)

    def _string_end(self, start: int, end: int) -> int:
        """The end of a string or a character that plain rules put at `end`."""
        text = self.text
        before = text[start - 1]
        if text[start] == '"' and before in "r#" and self._is_sound:
            raw = _RAW.search(text[max(0, start - _LONGEST_RAW_MARK) : start])
            if raw:
                close = text.find('"' + raw[1], start + 1)
                return self._sound(close + 1 + len(raw[1]) if close >= 0 else -1, end)
        if end - start == 1:
            self.is_closed = False
            self._token = _TOKEN_OF_LINE
            line_end = text.find("\n", end)
            return line_end if line_end >= 0 else len(text)
        if before == "!" and self._is_sound and "{" in text[start:end]:
            whole = _INTERPOLATED.match(text, start)
            return self._sound(whole.end() if whole else -1, end)
        return end

    def _sound(self, found: int, otherwise: int) -> int:
        """An end that was looked for as far as the file goes, which no second search may repeat."""
        self._is_sound = found >= 0
        self.is_closed &= self._is_sound
        return found if found >= 0 else otherwise
