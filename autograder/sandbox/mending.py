"""Mends a module that cannot be imported, so that what is broken in it costs nothing else.

What cannot be read or run becomes a name that raises the reason when it is used (see stand_ins.py); all other
lines stay as they are, at their numbers. Nothing is guessed about what a broken function was meant to do:
only what has no bearing on that is repaired, such as the encoding, tabs, and lines for IPython.

Notable:
- This side reads students' text with Python's own parser, which some texts bring to fall. So it runs in a
  sandbox, in a process that has imported nothing of the student's and whose answers nobody can forge.
- A module is cut at the lines that no function's body can hold, by their indentation; each piece is parsed
  alone. Where a broken piece could belong to two functions, both lose.
"""

import ast
import builtins
import io
import json
import keyword
import re
import tokenize
import warnings
from collections import Counter

MAX_BYTES = 200_000
LOOK_AHEAD = 40  # pieces in which a string or a bracket that is open may end
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_HEADER = re.compile(
    r"\s*(?:async\s+|(?:\S*\s+|\W+)(?=(?:def|class)\s+\w+\s*[(:]))?(def|class)\s+(\w+)"  # or after a slip
)
_GOES_ON = re.compile(r"\s*(?:(?:else|elif|except|finally)\b|[)\]}])")
_COMPOUND = re.compile(r"\s*(?:if|for|while|with|try|else|elif|except|finally|match|case|async)\b")
_CONFLICT = re.compile(r"(<{7}|={7}|>{7})(?:\s|$)")
_INVISIBLE = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "\u3000": " ", "\u200b": "", "\ufeff": "", "\0": ""}
)


class Broken(Exception):
    """The text cannot be mended."""


class Fault:
    """Why a piece of text is not Python: the kind of error, what it says, and the line, counted from 1."""

    def __init__(self, kind: str, message: str, line: int):
        self.kind, self.message, self.line = kind, message, line

    def is_open(self) -> bool:
        """Whether more text might be all that is missing."""
        return bool(re.search(r"unterminated triple|never closed|unexpected EOF|continuation", self.message))


def mend(content: bytes, path: str, failure: dict, names=(), imports=(), headers=()) -> tuple:
    """Mend what made the import of a module fail.

    Args:
        content: the file.
        path: how the notes call it.
        failure: `missing`, a name that others import from it; or `line`, where the statement is that raised,
            with `scope` and `inner`, the name and the line of the class body that was running, and `type` and
            `message` of the exception; or neither, when it is not Python.
        names: what the released module defines.
        imports: the released module's import statements.
        headers: the first line of each of its classes, by name.
    Returns:
        the text, and a sentence about each thing that was repaired or lost.
    Raises:
        Broken: nothing can be made of it.
    """
    if len(content) > MAX_BYTES:
        raise Broken(f"{path} is too long to be mended")
    unreadable = _cells_of(_decoded(content, path)[0]) or not (failure.get("missing") or failure.get("line"))
    if unreadable:
        return mend_text(content, path, names, imports, headers)
    if failure.get("missing"):
        return mend_name(content, path, failure["missing"])
    where = failure["line"], failure["scope"], failure["inner"]
    return mend_statement(content, path, *where, failure["type"], failure["message"])


def mend_text(content: bytes, path: str, names=(), imports=(), headers=()) -> tuple:
    """Make a module readable for Python; arguments, result and error are those of `mend`."""
    text, notes = _decoded(content, path)
    if cells := _cells_of(text):
        text = cells
        notes.append(f"{path} is a notebook and no module: the code in its cells was read.")
    if _fault(text) is None:
        return text, notes
    visible = text.translate(_INVISIBLE)
    if visible != text and _fault(visible) is None:
        return visible, [*notes, f"{path} has invisible characters in it, which were read as spaces."]
    mender = _Mender(visible, path, names, imports, headers)
    mender.mend()
    result = "\n".join(mender.lines)
    if (fault := _fault(result)) is not None:
        raise Broken(f"{path} cannot be mended: {fault.message}")
    return result, notes + mender.notes


def mend_statement(
    content: bytes, path: str, line: int, scope: str, inner: int, kind: str, message: str
) -> tuple:
    """Take the statement that raised out of a module, and say so in the names that it would have defined.

    Args:
        content: the module, which is Python.
        path: how the notes call it.
        line: where the statement is that raised at the import.
        scope: the name of the class whose body was running, if it was one.
        inner: the line in that body.
        kind: the name of the exception.
        message: what it said.
    Returns:
        the text, and sentences about it.
    Raises:
        Broken: there is no statement.
    """
    text, notes = _decoded(content, path)
    body = _parse(text).body
    found = [s for s in body if _first(s) <= line <= s.end_lineno]
    if found and isinstance(found[0], ast.ClassDef) and found[0].name == scope:
        found = [s for s in found[0].body if _first(s) <= inner <= s.end_lineno] or found
    if not found:
        raise Broken(f"{path} has no statement in line {line}")
    lines = text.split("\n")
    first, last = min(map(_first, found)), max(s.end_lineno for s in found)
    if isinstance(found[0], _DEFINITIONS) and (plain := _without_annotations(lines, found[0])) is not None:
        return "\n".join(plain), [
            *notes,
            f"{path}, line {first}: annotations of {found[0].name} were left out.",
        ]
    parts, lost = [], set()
    for statement in found:
        kept, names = _without(statement, kind, message)
        parts += kept
        lost |= names
    if lost:
        parts.append(f"{' = '.join(sorted(lost))} = {_absent(kind, f'{message}, in line {first}')}")
    indent = re.match(r"\s*", lines[first - 1])[0]
    lines[first - 1 : last] = [indent + ("; ".join(parts) or "pass"), *[""] * (last - first)]
    what = " and ".join(sorted(lost)[:4]) + (" and more" if len(lost) > 4 else "")
    note = (
        f"{path}, line {first}: the statement raises {kind} ({message or 'without words'}) and was left out"
    )
    if any(isinstance(s, (ast.Import, ast.ImportFrom)) for s in found):
        note = f"{path}, line {first}: the import fails ({message}) and was left out"
    return "\n".join(lines), [*notes, note + (f"; only what uses {what} fails for it." if lost else ".")]


def mend_name(content: bytes, path: str, name: str) -> tuple:
    """Let a module have a name that others import from it and that it does not define.

    Args:
        content: the module, which is Python.
        path: how the notes call it.
        name: what is missing.
    Returns:
        the text, and sentences about it.
    """
    text, notes = _decoded(content, path)
    place = _elsewhere(_parse(text), name)
    why = f"{path} does not define {name}" + (f": {place}" if place else "")
    text = text.rstrip("\n") + f"\n{name} = {_absent('NameError', why)}\n"
    return text, [*notes, f"{why}; only what uses {name} fails for it."]


class _Mender:
    """Mends the lines of one module in place."""

    def __init__(self, text: str, path: str, names, imports, headers):
        self.lines = text.split("\n")
        self.path, self.names, self.imports, self.headers = path, set(names), list(imports), dict(headers)
        self.notes = []
        self.import_line = None  # a broken import statement's

    def mend(self) -> None:
        conflicts = self._resolve_conflicts()
        self._mend_pieces(0, len(self.lines), 0)
        for first, last in conflicts:
            self._lose_around(first, last)
        if self.import_line is not None:
            self._restore_imports()
        fault = _fault("\n".join(self.lines))
        if (
            fault
            and "__future__" in fault.message
            and self.lines[fault.line - 1].startswith("from __future__")
        ):
            self._skip(fault.line - 1, fault.line, 0, fault)

    # ---- pieces

    def _mend_pieces(self, first: int, last: int, level: int) -> None:
        """Mend the statements at one level of indentation, in lines [first, last)."""
        pieces = self._pieces(first, last, level)
        previous = None  # the last definition: its first line and its end
        while pieces:
            start, end = pieces.pop(0)
            fault = self._check(start, end, level)
            if fault and fault.is_open():
                for count, (_, farther) in enumerate(pieces[:LOOK_AHEAD], 1):
                    if self._check(start, farther, level) is None:
                        end, fault, pieces = farther, None, pieces[count:]
                        break
            if fault:
                previous = self._mend_piece(start, end, level, fault, previous)
            elif _HEADER.match(self.lines[self._header(start, end)]):
                previous = start, end
            lost = "__import__('stand_ins')" in self.lines[start]
            if lost or (previous and not _HEADER.match(self.lines[self._header(*previous)])):
                previous = None  # what follows may be of a function that is lost already

    def _pieces(self, first: int, last: int, level: int) -> list:
        """Where statements begin and end, told by indentation alone."""
        starts, decorated = [], False
        for number in range(first, last):
            line = self.lines[number]
            if not line.strip() or line.lstrip().startswith("#") or (starts and _width(line) > level):
                continue
            if not (starts and (decorated or (_GOES_ON.match(line) and not _HEADER.match(line)))):
                starts.append(number)
            decorated = line.lstrip().startswith("@")
        return list(zip(starts, [*starts[1:], last], strict=True))

    def _mend_piece(self, start: int, end: int, level: int, fault: Fault, previous):
        """Mend a piece that is not Python; returns the lines of the definition that more may belong to."""
        header = _HEADER.match(self.lines[self._header(start, end)])
        if self._mend_tabs(start, end, level):
            return (start, end) if header else previous
        if not header:
            return self._mend_stray(start, end, level, fault, previous)
        if header[1] == "class":
            self._mend_class(start, end, level, fault)
            return start, end
        if self._belongs_to_class(start, end, level, previous):
            return previous[0], end
        line, *others = self.lines[self._header(start, end) : end]
        slipped = not re.match(r"(async|def)\b", line) and any(map(_HEADER.match, others))
        if previous and slipped and self._is_class(previous):  # these are its other methods
            self._mend_class(previous[0], end, level, fault)
            return previous[0], end
        if not self._ends_earlier(start, end, level, fault):
            self._lose(header[2], start, end, level, fault)
        return None

    def _mend_tabs(self, start: int, end: int, level: int) -> bool:
        """Read tabs as spaces, where there is one way only to do so."""
        if not any(re.match(r" *\t", line) for line in self.lines[start:end]):
            return False
        original, readings = self.lines[start:end], {}
        for size in (4, 8):
            self.lines[start:end] = _untabbed(original, size)
            if self._check(start, end, level) is None:
                readings[self._dump(start, end, level)] = self.lines[start:end]
        self.lines[start:end] = original
        if len(readings) != 1:
            return False
        self.lines[start:end] = readings.popitem()[1]
        self._note(start, "tabs among the spaces were read as spaces")
        return True

    def _mend_stray(self, start: int, end: int, level: int, fault: Fault, previous):
        """What is no definition: a line that lost its indentation, a lost header, or a statement."""
        line = self.lines[start]
        name = re.match(r"\W*\w+\s+(\w+)\s*\(", line)
        if name and name[1] in self.headers:
            self._mend_class(start, end, level, fault)
            return start, end
        if name and name[1] in self.names:
            self._lose(name[1], start, end, level, fault)
            return None
        torn = self._is_torn(start, end, level)
        if previous and self._is_class(previous):
            if torn or any(map(_HEADER.match, self.lines[start + 1 : end])):  # its other methods
                self._mend_class(previous[0], end, level, fault)
                return previous[0], end
        elif previous and torn and not self._is_complete(*previous, level):
            header = _HEADER.match(self.lines[self._header(*previous)])
            self._lose(header[2], previous[0], end, level, fault)
            return None
        elif self._mend_headless_class(start, end, level, fault):
            return start, end
        for number in range(start + 1, end):
            if _width(self.lines[number]) > level and self._check(start, number, level) is None:
                start = number  # it is whole up to here
                break
        self._skip(start, end, level, fault)
        return previous

    def _is_torn(self, start: int, end: int, level: int) -> bool:
        """Whether this looks like a line of the function above that lost its indentation."""
        line = self.lines[start]
        if re.match(r"\s*(async|def|class)\b", line):
            return False
        if line.rstrip().endswith(":") and not _COMPOUND.match(line):
            return False
        indented = any(_width(text) > level for text in self.lines[start + 1 : end] if text.strip())
        alone = _width(line) < level and _fault(line.strip()) is None
        return indented or alone or bool(re.match(r"\s*(return|yield)\b", line))

    def _mend_class(self, start: int, end: int, level: int, fault: Fault) -> None:
        """Mend a class statement by statement; all of it is lost where that is not enough."""
        header = self._header(start, end)
        name = self._class_name(header)
        widths = [
            (_width(line), bool(_HEADER.match(line)))
            for line in self.lines[header + 1 : end]
            if line.strip() and not line.lstrip().startswith("#") and _width(line) > level
        ]
        levels = Counter(width for width, defines in widths if defines)
        if widths:
            inner = levels.most_common(1)[0][0] if levels else widths[0][0]
            body = self._body_of_class(start, header, end, inner, level)
            if body is None and name in self.headers:
                self.lines[header] = " " * level + self.headers[name]
                self._note(header, f"{fault.message}; the released module's line stands in its place")
                body = self._body_of_class(start, header, end, inner, level)
            if body is not None:
                self._mend_pieces(body, end, inner)
        if (remaining := self._check(start, end, level)) is not None:
            self._lose(name, start, end, level, remaining if widths else fault)

    def _mend_headless_class(self, start: int, end: int, level: int, fault: Fault) -> bool:
        """Whether these are the methods of a class whose first line is gone."""
        others = {match[1] for line in self.lines if (match := re.match(r"class\s+(\w+)", line))}
        left = sorted(set(self.headers) - others)
        place = start if _width(self.lines[start]) <= level else start - 1
        if level or len(left) != 1 or place < 0 or (place < start and self.lines[place].strip()):
            return False
        if not any(map(_HEADER.match, self.lines[start:end])):
            return False
        self.lines[place] = self.headers[left[0]]
        self._note(place, f"{fault.message}; the released module's line stands in its place")
        self._mend_class(place, end, level, fault)
        return True

    def _is_class(self, lines: tuple) -> bool:
        return _HEADER.match(self.lines[self._header(*lines)])[1] == "class"

    def _class_name(self, header: int) -> str:
        """What a class is called: with a slip in its first line, as the release's only class that is left."""
        found = re.search(r"(?:class|\w+)\s+(\w+)", self.lines[header])
        if found and found[1] in self.headers:
            return found[1]
        others = {match[1] for line in self.lines if (match := re.match(r"class\s+(\w+)", line))}
        left = sorted(set(self.headers) - others)
        return left[0] if len(left) == 1 else found[1] if found else ""

    def _body_of_class(self, start: int, header: int, end: int, inner: int, level: int):
        """The line at which a class's body begins; None when what stands above it is not Python."""
        for body in range(header + 1, min(header + 13, end)):
            if self._check_lines([*self.lines[start:body], " " * inner + "pass"], level) is None:
                return body
        return None

    def _belongs_to_class(self, start: int, end: int, level: int, previous) -> bool:
        """Whether this is a method whose first line lost its indentation, with more of its class below."""
        if not previous or not self._is_class(previous):
            return False
        widths = [_width(line) for line in self.lines[slice(*previous)] if _HEADER.match(line)]
        inner = min((width for width in widths if width > level), default=0)
        header = self._header(start, end)
        original = self.lines[start : header + 1]
        self.lines[start : header + 1] = [" " * inner + line.lstrip() for line in original]
        if inner and self._check(previous[0], end, level) is None:
            stop = self._pieces(header, end, inner)[0][1]
            fault = Fault("IndentationError", "it is not indented like the rest of its class", header + 1)
            self._lose(_HEADER.match(self.lines[header])[2], start, stop, inner, fault)
            return True
        self.lines[start : header + 1] = original
        return False

    def _ends_earlier(self, start: int, end: int, level: int, fault: Fault) -> bool:
        """Whether the definition is whole up to a line that is no part of it."""
        for number in range(self._header(start, end) + 1, end):
            line = self.lines[number]
            if _width(line) > level and (header := _HEADER.match(line)):
                # Another function whose first line is indented too far, and nothing after it.
                moved = [" " * level + line.lstrip(), *self.lines[number + 1 : end]]
                if self._check(start, number, level) is None and self._check_lines(moved, level) is None:
                    fault = Fault("IndentationError", "unexpected indent", number + 1)
                    self._lose(header[2], number, end, level, fault)
                    return True
            elif line.strip() and _width(line) <= level and _GOES_ON.match(line):
                alone = not any(text.strip() for text in self.lines[number + 1 : end])
                if alone and self._check(start, number, level) is None:
                    self._skip(number, end, level, fault)
                    return True
        return False

    # ---- conflicts and imports

    def _resolve_conflicts(self) -> list:
        """Keep the first side of each of git's conflicts; returns where they are, as lines [first, last)."""
        found, begun, side = [], None, ""
        for number, line in enumerate(self.lines):
            mark = _CONFLICT.match(line)
            if mark and mark[1][0] == "<":
                begun, side = number, "<"
            elif mark and begun is not None:
                side = mark[1][0]
                if side == ">":
                    found.append((begun, number + 1))
            if begun is not None and (mark or side == "="):
                self.lines[number] = ""
            if begun is not None and side == ">":
                begun = None
        return found

    def _lose_around(self, first: int, last: int) -> None:
        """Lose the functions that a conflict touches."""
        fault = Fault("SyntaxError", "a conflict that git has marked is not resolved", first + 1)
        tree = _parse("\n".join(self.lines))
        touched = []
        for statement in tree.body:
            inside = statement.body if isinstance(statement, ast.ClassDef) else [statement]
            for each in inside:
                if _first(each) <= last and each.end_lineno > first:
                    touched.append(each)
        for each in touched:
            if isinstance(each, _DEFINITIONS):
                self._lose(each.name, _first(each) - 1, each.end_lineno, each.col_offset, fault)
        if not touched:
            self._note(first, fault.message)

    def _restore_imports(self) -> None:
        """Put the released module's imports in the place of one that cannot be read."""
        bound = {name for statement in _parse("\n".join(self.lines)).body for name in bound_names(statement)}
        missing = [text for text in self.imports if not bound_names(ast.parse(text).body[0]) <= bound]
        if missing:
            future = [n for n, line in enumerate(self.lines) if line.startswith("from __future__ import")]
            place = max([self.import_line, *future])
            self.lines[place] = "; ".join([self.lines[place], *missing] if place in future else missing)
            self._note(self.import_line, "the released module's imports stand in its place")

    # ---- lines

    def _header(self, start: int, end: int) -> int:
        """The line after the decorators and comments."""
        for number in range(start, end):
            line = self.lines[number].strip()
            if line and not line.startswith(("@", "#")):
                return number
        return start

    def _is_complete(self, start: int, end: int, level: int) -> bool:
        """Whether nothing could follow in a function's body, which ends with a return or a raise."""
        if self._check(start, end, level):
            return False
        body = ast.parse("\n".join(_framed(self.lines[start:end], level))).body
        last = (body[0].body if level else body)[-1]
        return isinstance(last, _DEFINITIONS[:2]) and isinstance(last.body[-1], (ast.Return, ast.Raise))

    def _check(self, start: int, end: int, level: int):
        fault = self._check_lines(self.lines[start:end], level)
        if fault:
            fault.line += start
        return fault

    def _check_lines(self, lines: list, level: int):
        first = next((n for n, line in enumerate(lines) if line.strip() and line.lstrip()[0] != "#"), None)
        if first is not None and (width := _width(lines[first])) != level:
            what = "unexpected indent" if width > level else "this line lost its indentation"
            return Fault("IndentationError", what, first + 1)
        fault = _fault("\n".join(_framed(lines, level)))
        if fault and level:
            fault.line -= 2
        return fault

    def _dump(self, start: int, end: int, level: int) -> str:
        return ast.dump(ast.parse("\n".join(_framed(self.lines[start:end], level))))

    def _lose(self, name: str, start: int, end: int, level: int, fault: Fault) -> None:
        """Let a name raise the fault, in place of its definition."""
        line = min(max(fault.line, start + 1), max(end, start + 1))
        text = f"{name} = {_absent(fault.kind, f'{fault.message} ({self.path}, line {line})')}"
        if not name.isidentifier() or keyword.iskeyword(name):
            text = "pass"
        self.lines[start:end] = [" " * level + text, *[""] * (end - start - 1)]
        self._note(line - 1, f"{name} cannot be read ({fault.message}); the rest of the module is graded")

    def _skip(self, start: int, end: int, level: int, fault: Fault) -> None:
        """Leave a statement out; a name that it seems to define raises the fault."""
        name = re.match(r"([^\W\d]\w*)\s*=(?!=)", self.lines[start])
        text = "pass" if level else ""  # `pass` may not stand before imports from __future__
        if name and not level and not keyword.iskeyword(name[1]) and not hasattr(builtins, name[1]):
            text = f"{name[1]} = {_absent(fault.kind, f'{fault.message} ({self.path}, line {start + 1})')}"
        imports = any(re.match(r"\s*(import|from)\b", line) for line in self.lines[start:end])
        if imports and self.import_line is None and not level:
            self.import_line = start
        self.lines[start:end] = [" " * level + text, *[""] * (end - start - 1)]
        self._note(start, f"what stands there is not Python ({fault.message}) and was left out")

    def _note(self, number: int, sentence: str) -> None:
        self.notes.append(f"{self.path}, line {number + 1}: {sentence}.")


def bound_names(statement) -> set:
    """The names that a statement defines in its own scope."""
    if isinstance(statement, _DEFINITIONS):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {name for alias in statement.names if (name := _alias_name(alias)) != "*"}
    found = (
        {statement.id} if isinstance(statement, ast.Name) and isinstance(statement.ctx, ast.Store) else set()
    )
    if isinstance(statement, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return found
    if isinstance(statement, ast.ExceptHandler) and statement.name:
        found.add(statement.name)
    return found.union(*map(bound_names, ast.iter_child_nodes(statement)))


def _alias_name(alias) -> str:
    return alias.asname or alias.name.split(".")[0]


def _without(statement, kind: str, message: str) -> tuple:
    """What is left of a statement that raised, as source texts, and the names that it does not define now."""
    if not isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [], bound_names(statement)
    name = re.search(r"cannot import name '(\w+)'" if isinstance(statement, ast.ImportFrom) else
                     r"No module named '([\w.]+)'", message)  # fmt: skip
    failed = [
        a for a in statement.names if name and f"{a.name}.".startswith(f"{name[1]}.")
    ] or statement.names
    kept = [alias for alias in statement.names if alias not in failed]
    lost = set(map(_alias_name, failed)) - set(map(_alias_name, kept)) - {"*"}
    if not kept:
        return [], lost
    statement.names = kept
    return [ast.unparse(statement)], lost


def _without_annotations(lines: list, statement):
    """The lines with a function's annotations, or those of all functions in it, blanked; None without any."""
    blanked, changed = list(lines), False
    for node in ast.walk(statement):
        if isinstance(node, ast.arg) and node.annotation:
            begin = node.lineno, node.col_offset + len(node.arg.encode())
            _blank(blanked, begin, (node.annotation.end_lineno, node.annotation.end_col_offset))
            changed = True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns:
            row, column = node.returns.lineno, node.returns.col_offset
            arrow = lines[row - 1].encode()[:column].rfind(b"->")
            if arrow >= 0:
                _blank(blanked, (row, arrow), (node.returns.end_lineno, node.returns.end_col_offset))
                changed = True
    return blanked if changed and _fault("\n".join(blanked)) is None else None


def _blank(lines: list, begin: tuple, end: tuple) -> None:
    """Put spaces in the place of what stands between two positions (line from 1, byte from 0)."""
    for number in range(begin[0], end[0] + 1):
        content = bytearray(lines[number - 1].encode())
        first = begin[1] if number == begin[0] else 0
        last = end[1] if number == end[0] else len(content)
        content[first:last] = b" " * (last - first)
        lines[number - 1] = content.decode()


def _elsewhere(tree, name: str) -> str:
    """Where in a module a function of this name is that is not at its top level; "" if nowhere."""
    for outer in tree.body:
        inner = [node for node in ast.walk(outer) if node is not outer and isinstance(node, _DEFINITIONS)]
        if line := next((node.lineno for node in inner if node.name == name), None):
            return f"it stands inside of {getattr(outer, 'name', 'another statement')}, in line {line}"
    return ""


def _absent(kind: str, message: str) -> str:
    """The source of an expression that stands for what is lost."""
    return f"__import__('stand_ins').Absent({kind!a}, {message!a})"


def _decoded(content: bytes, path: str) -> tuple:
    """A file's text with plain line ends, and notes about its encoding."""
    notes = []
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
            notes.append(f"{path} was read as UTF-16: save it as UTF-8.")
        else:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = content.decode(encoding)
            if "utf" not in encoding:  # it will be written as UTF-8
                text = re.sub(r"coding(?=[:=])", "coded", text, count=1)
    except (UnicodeDecodeError, SyntaxError, LookupError):
        text = content.decode("cp1252", "replace")
        notes.append(f"{path} is not UTF-8 and was read as Windows-1252: save it as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def _cells_of(text: str) -> str:
    """The code of a notebook that was saved under the module's name; "" if it is none."""
    if not text.lstrip().startswith("{"):
        return ""
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return "\n\n".join(sources)


def _framed(lines: list, level: int) -> list:
    """Lines that are indented, as a body."""
    return ["class _:", " " * level + "pass", *lines] if level else lines


def _untabbed(lines: list, size: int) -> list:
    found = []
    for line in lines:
        body = line.lstrip(" \t")
        found.append(line[: len(line) - len(body)].expandtabs(size) + body)
    return found


def _width(line: str) -> int:
    body = line.lstrip(" \t\f")
    return len(line[: len(line) - len(body)].expandtabs(8))


def _first(statement) -> int:
    """The first line of a statement, decorators included."""
    return min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])


def _parse(text: str):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except Exception as error:
        raise Broken(f"not Python: {error}") from error


def _fault(text: str):
    """Why a text cannot be compiled; None when it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<mended>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Fault(type(error).__name__, str(error.msg), error.lineno or 1)
    except Exception as error:  # too deep, too large, a surrogate
        return Fault("SyntaxError", f"{type(error).__name__}: {error}", 1)
    return None
