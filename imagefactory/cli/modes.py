"""What a command line asks for: one mode, or an error that lists the combinations of options that exist."""

from __future__ import annotations

from dataclasses import dataclass, field

from imagefactory.lib.errors import InvalidInput
from imagefactory.settings import Settings

USAGE = """\
  build      --template TEMPLATE --target TARGET [--target TARGET ...]
  rebuild    --image UUID [--target TARGET ...]
  plan       --plan --template TEMPLATE --target TARGET [...]
  push       --image UUID --provider PROVIDER [--provider ...] --credentials CREDENTIALS
  import     --target TARGET --provider PROVIDER --target-image ID [--image UUID] [--image-desc XML]
  log        --log UUID
  leftovers  --leftovers
  reap       --reap --provider PROVIDER [--provider ...] --credentials CREDENTIALS
  daemon     --rest"""


@dataclass(frozen=True, slots=True)
class ServeMode:
    """Run the daemon."""


@dataclass(frozen=True, slots=True)
class BuildMode:
    """Build or rebuild; with `plan_only` only show what would be done.

    An empty template means that of the image's last build.
    """

    template: str = field(repr=False)  # may hold a root password
    targets: tuple[str, ...]
    image: str | None
    plan_only: bool
    boot_check: bool


@dataclass(frozen=True, slots=True)
class PushMode:
    """Push an image's newest build to one or more providers."""

    image: str
    providers: tuple[str, ...] = field(repr=False)  # may be definitions with a password
    credentials: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportMode:
    """Record an image that the provider already has."""

    target: str
    provider: str = field(repr=False)
    identifier: str
    image: str | None
    descriptor: str


@dataclass(frozen=True, slots=True)
class LogMode:
    """Print the log of a job."""

    job: str


@dataclass(frozen=True, slots=True)
class LeftoversMode:
    """List what interrupted pushes left at providers."""


@dataclass(frozen=True, slots=True)
class ReapMode:
    """Delete what interrupted pushes left at these providers."""

    providers: tuple[str, ...] = field(repr=False)  # may be definitions with a password
    credentials: str = field(repr=False)


Mode = ServeMode | BuildMode | PushMode | ImportMode | LogMode | LeftoversMode | ReapMode


def mode_of(settings: Settings) -> Mode:
    """Returns the one mode that the settings describe.

    Raises:
        InvalidInput: they describe none; the hint lists all.
    """
    image = settings.image or None
    if settings.rest:
        return ServeMode()
    if settings.log:
        return LogMode(settings.log)
    if settings.leftovers or settings.reap:
        return _leftovers(settings)
    if settings.target_image:
        return _import(settings, image)
    if settings.template or (image and not settings.provider):
        return _build(settings, image)
    if image and settings.provider:
        return PushMode(image, settings.provider, settings.credentials)
    raise InvalidInput(
        "these options together ask for nothing that can be done", hint=f"it has to be one of these:\n{USAGE}"
    )


def _leftovers(settings: Settings) -> LeftoversMode | ReapMode:
    if settings.leftovers:
        return LeftoversMode()
    if not settings.provider:
        raise InvalidInput("--reap needs at least one --provider", hint=f"it has to be one of these:\n{USAGE}")
    return ReapMode(settings.provider, settings.credentials)


def _build(settings: Settings, image: str | None) -> BuildMode:
    if settings.template and not settings.target:
        raise InvalidInput("a template needs at least one --target", hint=f"it has to be one of these:\n{USAGE}")
    if settings.provider:
        raise InvalidInput(
            "building and pushing are two commands: --template and --provider do not go together",
            hint="build first, then push the image with --image and --provider",
        )
    return BuildMode(settings.template, settings.target, image, settings.plan, settings.boot_check)


def _import(settings: Settings, image: str | None) -> ImportMode:
    for name, values in (("target", settings.target), ("provider", settings.provider)):
        if len(values) != 1:
            given = ", ".join(values) if values else "none"
            raise InvalidInput(
                f"Expect a single {name}, but '{given}' supplied", hint=f"it has to be one of these:\n{USAGE}"
            )
    return ImportMode(settings.target[0], settings.provider[0], settings.target_image, image, settings.image_desc)
