"""Writing files in a tree with its own shell: the texts for it, and what a failure of theirs means."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Sequence

from imagefactory.lib.errors import CommandFailed, FactoryError, NoSpace
from imagefactory.lib.files.space import say_full
from imagefactory.systems.guests.interface import File

_BATCH = 1 << 20
_MARK = "imagefactory: not written: "

# The shell says in its own words what went wrong, and seldom with which file: the last line says that.
_BEGIN = f"""\
set -e
trap '[ $? -eq 0 ] || printf "%s%s\\n" "{_MARK}" "$at" >&2' EXIT
"""

WRITE = f"""\
at=$1
{_BEGIN}\
case $1 in ?*/*) mkdir -p "${{1%/*}}" ;; esac
if [ -L "$1" ] && [ ! -e "$1" ]; then rm -f "$1"; fi
cat > "$1"
chmod "$2" "$1\""""
"""Writes standard input to its first argument, with the mode of the second."""

_HINTS = (
    ("Is a directory", "there is a directory of that name in the system: name a file in it, or choose another name"),
    ("Not a directory", "a part of the path is no directory in the system: choose another path"),
    ("File exists", "a part of the path is no directory in the system: choose another path"),
    ("Too many levels of symbolic links", "symbolic links of the system lead round in a circle: choose another path"),
    ("File name too long", "a part of the path has more than 255 bytes, or all of it more than 4095: shorten it"),
)
_ANY = "look at what the system has at this path, and choose another"


def batches(files: Sequence[File]) -> Iterator[list[File]]:
    """Pieces of about a megabyte: the shell holds what it is told in memory."""
    batch: list[File] = []
    size = 0
    for file in files:
        if batch and size + len(file.data) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += len(file.data)
    if batch:
        yield batch


def script(files: Sequence[File]) -> bytes:
    """Shell text that writes the files (as `WRITE`, with the data in the text)."""
    return (_BEGIN + "".join(_written(file) for file in files)).encode()


def _written(file: File) -> str:
    path, parent = shlex.quote(file.path), shlex.quote(file.path.rpartition("/")[0] or "/")
    data = base64.encodebytes(file.data).decode()
    return (
        f"at={path}\n"
        f"[ -d {parent} ] || mkdir -p {parent}\n"
        f"if [ -L {path} ] && [ ! -e {path} ]; then rm -f {path}; fi\n"
        f"base64 -d > {path} <<'END'\n{data}END\n"
        f"chmod {file.mode:04o} {path}\n"
    )


def not_written(error: CommandFailed) -> FactoryError:
    """Returns the error with the file's path and what to do, if the failure was that of a file."""
    if not error.tail or not error.tail[-1].startswith(_MARK):
        return error
    path, said = error.tail[-1].removeprefix(_MARK), error.tail[:-1]
    text = "\n".join(said)
    if say_full(said):
        return NoSpace(
            "no space left to write this file in the system",
            where=path,
            hint="make room, or set imgdir to a larger file system",
        )
    hint = next((hint for words, hint in _HINTS if words in text), _ANY)
    return CommandFailed(f"writing {path} in the system", error.outcome, said, hint=hint)
