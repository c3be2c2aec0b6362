"""Files of this host that a template wants: a way to read any file, so it is off unless directories are named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imagefactory.lib.errors import Forbidden
from imagefactory.model.template import Content, Install, Remote, Template, UrlInstall


def local_path(url: str) -> Path | None:
    """Returns the file that a `file:` URL names; None for any other URL."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme.lower() == "file" else None


def refuse_local_sources(template: Template, allowed: Sequence[Path]) -> None:
    """Raise Forbidden if the template wants a file of this host outside the `allowed` directories (none: any file).

    A matter of names only: the code that opens the file must not follow a symbolic link that leads out.
    """
    wanted = {path for url in _sources(template) if (path := local_path(url)) is not None}
    refused = sorted(str(path) for path in wanted if not any(_inside(path, directory) for directory in allowed))
    if refused:
        raise Forbidden(
            f"this template wants files of this host, which is not allowed: {', '.join(refused)}",
            hint="put their content into the template, serve them by http, "
            "or on the local command line allow their directory with --file_sources",
        )


def _inside(path: Path, directory: Path) -> bool:
    return ".." not in path.parts and "\0" not in str(path) and path.is_relative_to(directory)


def _sources(template: Template) -> Iterator[str]:
    yield from _install_sources(template.os.install)
    contents: list[Content] = [file.content for file in template.files]
    contents += [script.content for script in (*template.precommands, *template.commands)]
    yield from (content.url for content in contents if isinstance(content, Remote))


def _install_sources(install: Install) -> Iterator[str]:
    if isinstance(install, UrlInstall):
        yield install.url
        return
    yield install.iso
    yield from (extra.source for extra in install.extras)
    if install.checksum:
        yield install.checksum.url
