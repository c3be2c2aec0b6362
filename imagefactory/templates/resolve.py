"""From the text of a `--template` argument or a request's `template` field to a complete template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from imagefactory.lib.concurrency.threads import Threads
from imagefactory.lib.errors import Forbidden, InvalidInput, NotFound, TooLarge
from imagefactory.model.local_sources import local_path, refuse_local_sources
from imagefactory.model.tdl import parse_loosely, parse_template
from imagefactory.model.template import Template
from imagefactory.model.template_argument import Address, LocalFile, StoredId, XmlText, classify
from imagefactory.templates.gather import Sources
from imagefactory.templates.inline_files import filled, remotes
from imagefactory.warehouse.records import Records

Fetch = Callable[[str], Awaitable[bytes]]
"""The document at a URL, under the rules for remote templates."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A template with everything that it refers to; `template_id` if it came from the warehouse."""

    template: Template
    template_id: str | None = None


class Templates:
    """Reads templates from wherever they may come from.

    `file_sources` are the directories that `file:` URLs in templates of the local caller may lead to; `limit` is
    bytes.
    """

    def __init__(
        self,
        records: Records,
        fetch: Fetch,
        threads: Threads,
        sources: Sources,
        *,
        limit: int = 1 << 20,
        file_sources: Sequence[Path] = (),
        fetch_local: Fetch | None = None,
    ) -> None:
        self._records = records
        self._fetch = fetch
        self._fetch_local = fetch_local or fetch
        self._threads = threads
        self._sources = sources
        self._limit = limit
        self._file_sources = tuple(file_sources)

    async def resolve(self, argument: str, *, local: bool = False, loosely: bool = False) -> Resolved:
        """Returns the template that `argument` means; a path and `file:` sources only for a `local` caller.

        For targets that install nothing it need not be complete (`loosely`, see `parse_loosely`).

        Raises InvalidInput, Forbidden, NotFound, TooLarge, Unavailable.
        """
        template_id = None
        match classify(argument):
            case XmlText(document):
                source = document
            case Address(url):
                source = await self._fetcher(local)(url)
            case StoredId(id):
                template_id, source = await self._stored(id)
            case LocalFile(path) if local:
                source = await self._threads.run(_read, path, self._limit)
            case LocalFile():
                raise Forbidden("a template cannot be given as a path here", hint="send its XML text, a URL or a UUID")
        parse = parse_loosely if loosely else parse_template
        return Resolved(await self.complete(parse(source, limit=self._limit), local=local), template_id)

    def parse(self, source: bytes) -> Template:
        """Returns a template that was accepted before; what it refers to is not fetched."""
        return parse_loosely(source, limit=self._limit)

    async def complete(self, template: Template, *, local: bool = False) -> Template:
        """Returns the template with everything that it refers to by URL in it; see `Sources` for what is too much."""
        refuse_local_sources(template, self._file_sources if local else ())
        content = partial(self._content, local=local)
        return filled(template, await self._sources.gather(remotes(template), content))

    def _fetcher(self, local: bool) -> Fetch:
        return self._fetch_local if local else self._fetch

    async def _content(self, url: str, *, local: bool) -> bytes:
        path = local_path(url)
        if path is None:
            return await self._fetcher(local)(url)
        return await self._threads.run(_read_inside, path, self._file_sources, self._limit)

    async def _stored(self, id: str) -> tuple[str, bytes]:
        """Returns a template, or the one that a target image was made from."""
        source = await self._records.template(id)
        if source is not None:
            return id, source
        image = await self._records.target_image(id)
        if image is None or image.template is None:
            raise NotFound(f"the warehouse has neither a template nor a target image {id}")
        source = await self._records.template(image.template)
        if source is None:
            raise NotFound(f"template {image.template} of target image {id} is not in the warehouse")
        return image.template, source


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read this file: {error.strerror}", where=str(path)) from None
    if len(data) > limit:
        raise TooLarge(f"it has more than {limit} bytes", where=str(path))
    return data


def _read_inside(path: Path, directories: Sequence[Path], limit: int) -> bytes:
    """As `_read`, unless a symbolic link leads out of the directories."""
    real = path.resolve()
    if not any(real.is_relative_to(directory.resolve()) for directory in directories):
        raise Forbidden("a link leads out of the directories that templates may read", where=str(path))
    return _read(real, limit)
