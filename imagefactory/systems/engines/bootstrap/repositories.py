"""The repositories that a template adds: where the build reads them, and what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from imagefactory.lib.errors import InvalidInput, Problem, Unsupported
from imagefactory.lib.secret import without_secrets
from imagefactory.model.template import Repository
from imagefactory.systems.families.interface import Bootstrap, Family, Source

SCHEMES = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Located:
    """A repository as the build reads it, and its source."""

    repository: Repository
    source: Source


def locate(
    repositories: Sequence[Repository], family: Family, bootstrap: Bootstrap, mirror: Callable[[str], str]
) -> tuple[Located, ...]:
    """Each of them where `mirror` says that its URL is.

    Raises InvalidInput, also for two of one file, and Unsupported for one that no other machine can read: what is in
    it could not be told.
    """
    _refuse_namesakes(repositories, family)
    return tuple(_locate(one, family, bootstrap, mirror) for one in repositories)


def _refuse_namesakes(repositories: Sequence[Repository], family: Family) -> None:
    """In a file name not every character is left as it is, so two names may become one."""
    named: dict[str, str] = {}
    files = family.forget_repositories(tuple(repositories))
    for repository, file in zip(repositories, files, strict=True):
        other = named.setdefault(file, repository.name)
        if other != repository.name:
            raise InvalidInput(
                "two repositories cannot be told apart",
                problems=(Problem("repositories/repository", f"{other!r} and {repository.name!r} both become {file}"),),
                hint="give one of them another name",
            )


def demand_readable(url: str, what: str) -> None:
    """Unsupported unless every machine can read from `url`: this one for the index, and the system being made."""
    if urlsplit(url).scheme.lower() not in SCHEMES:
        raise Unsupported(
            f"{what} cannot be read from here: only http and https can",
            where=without_secrets(url),
            hint="serve it over HTTP, or map its URL to a mirror with the setting mirrors",
        )


def _locate(own: Repository, family: Family, bootstrap: Bootstrap, mirror: Callable[[str], str]) -> Located:
    url = family.repository_source(own, bootstrap).url
    used = replace(own, url=own.url.replace(url, mirror(url), 1))
    source = family.repository_source(used, bootstrap)
    demand_readable(source.index, f"repository {own.name}")
    return Located(used, source)


def contents(located: Sequence[Located], digests: Mapping[Source, str]) -> dict[str, str]:
    """By the repository's name: which index it has, and where it is read, because that is in the system, too."""
    return {one.repository.name: f"{one.source.index} {digests[one.source]}" for one in located}
