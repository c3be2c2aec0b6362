"""Plug-ins of one kind by name: ours by a table, those of other packages by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeGuard, TypeVar

from imagefactory.lib.errors import FactoryError, NotFound

T = TypeVar("T")


class BrokenPlugin(FactoryError):
    """A plug-in is registered and cannot be imported."""


class WrongPlugin(FactoryError):
    """What is registered as a plug-in is something else."""


def _installed(group: str) -> Iterable[EntryPoint]:
    return entry_points(group=group)


class Registry(Generic[T]):
    """The plug-ins of one kind; each is imported when it is first asked for.

    Args:
        what: the word for one of them in errors: "target".
        group: the entry point group in which other packages register theirs. They cannot take a name of ours.
        ours: name to "module:attribute".
        fits: tells whether what was imported is such a plug-in.
        unknown: the error for a name that is not registered.
        installed: finds the entry points of a group; asked once, so that a new package needs a restart.
    """

    def __init__(
        self,
        what: str,
        group: str,
        ours: Mapping[str, str],
        fits: Callable[[object], TypeGuard[T]],
        *,
        unknown: type[FactoryError] = NotFound,
        installed: Callable[[str], Iterable[EntryPoint]] = _installed,
    ) -> None:
        self._what = what
        self._group = group
        self._ours = ours
        self._fits = fits
        self._unknown = unknown
        self._installed = installed

    def names(self) -> tuple[str, ...]:
        """All registered names, ours first."""
        return tuple(dict.fromkeys((*self._ours, *sorted(self._theirs))))

    def get(self, name: str) -> T:
        """Returns the plug-in of that name.

        Raises:
            NotFound, or the class given as `unknown`: no plug-in of that name is registered.
            BrokenPlugin: it cannot be imported.
            WrongPlugin: it was imported and is something else.
        """
        found = self._load(name)
        if not self._fits(found):
            hint = f"see the entry point group {self._group}"
            raise WrongPlugin(f"{found!r} is registered as {self._what} {name} and is none", hint=hint)
        return found

    @cached_property
    def _theirs(self) -> Mapping[str, EntryPoint]:
        return {point.name: point for point in self._installed(self._group)}

    def _load(self, name: str) -> object:
        if name not in self.names():
            hint = f"there are {', '.join(self.names())}"
            raise self._unknown(f"there is no {self._what} {name!r}", where=self._what, hint=hint)
        try:
            return _attribute(self._ours[name]) if name in self._ours else self._theirs[name].load()
        except Exception as error:
            hint = "reinstall it, or remove it"
            raise BrokenPlugin(f"{self._what} {name} cannot be imported: {error!r}", hint=hint) from error


def _attribute(reference: str) -> object:
    module, _, attribute = reference.partition(":")
    found: object = getattr(import_module(module), attribute)
    return found
