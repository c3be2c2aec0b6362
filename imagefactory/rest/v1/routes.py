"""All routes of the API, declared once.

From this table come the routing, the answers to wrong methods, the OpenAPI document and the manual page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

ROOT = "/imagefactory"
IMAGES = ROOT + "/images"
IMAGE = IMAGES + "/{image_id}"
BUILDS = IMAGE + "/builds"
BUILD = BUILDS + "/{build_id}"
TARGET_IMAGES = BUILD + "/target_images"
TARGET_IMAGE = TARGET_IMAGES + "/{target_image_id}"
PROVIDER_IMAGES = TARGET_IMAGE + "/provider_images"
PROVIDER_IMAGE = PROVIDER_IMAGES + "/{provider_image_id}"
BUILDERS = ROOT + "/builders"
BUILDER = BUILDERS + "/{builder_id}"
TARGETS = ROOT + "/targets"
TARGET = TARGETS + "/{target_name}"
PROVIDERS = TARGET + "/providers"


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    `handler` is family and method ("images.create"). `request` and `response` name schemas of
    `imagefactory.rest.v1.schemas`; `query` names its parameters. What is `protected` demands OAuth; what is `public` is
    open even with `oauth_reads`. `others` are further statuses with the same document. `headers` are those that it
    reads and no other does.
    """

    method: str
    path: str
    handler: str
    summary: str
    status: int = 200
    response: str = ""
    request: str = ""
    query: tuple[str, ...] = ()
    media: str = "application/json"
    protected: bool = False
    public: bool = False
    others: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def looks_up(self) -> bool:
        """Whether it may find that there is no such thing."""
        return self.writes or "{" in self.path or bool({"after", "id"} & set(self.query))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The ids in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))


def _read(
    path: str,
    handler: str,
    summary: str,
    response: str = "",
    *,
    query: tuple[str, ...] = (),
    media: str = "application/json",
) -> Route:
    return Route("GET", path, handler, summary, response=response, query=query, media=media)


def _write(
    place: tuple[str, str],
    handler: str,
    summary: str,
    status: int = 202,
    *,
    response: str = "",
    request: str = "",
    query: tuple[str, ...] = (),
) -> Route:
    method, path = place
    return Route(method, path, handler, summary, status, response, request, query, protected=True)


def _create(method: str, path: str, summary: str) -> Route:
    return replace(
        _write((method, path), "images.create", summary, response="Image", request="NewImage"), others=(200,)
    )


def _push(path: str) -> Route:
    summary = "Push to a provider; ids that are not in the address are in the body"
    return _write(("POST", path), "provider_images.create", summary, response="Pushed", request="NewPush")


def _delete(path: str, handler: str, summary: str) -> Route:
    return _write(("DELETE", path), handler, summary, 204)


def _provider_image(path: str) -> tuple[Route, ...]:
    """One provider image, below its parents or by itself."""
    removal = "Remove an image from its provider and the warehouse"
    return (
        _read(path, "provider_images.show", "One provider image and its job", "Builder"),
        _read(path + "/status", "provider_images.status", "Where its job stands", "Status"),
        _write(
            ("DELETE", path), "provider_images.delete", removal, 204, request="Removal", query=("keep_on_provider",)
        ),
    )


ROUTES: tuple[Route, ...] = (
    _read(ROOT, "info.api", "Name and version of the API", "Api"),
    _read(ROOT + "/openapi.json", "info.openapi", "This description", "Document"),
    _read(IMAGES, "images.index", "All images, in order of their ids", "Images", query=("limit", "after")),
    _create("POST", IMAGES, "Build an image, or import one"),
    _read(IMAGE, "images.show", "One image with its builds", "ImageDetail"),
    _create("PUT", IMAGE, "Rebuild an image (which need not be known), or import into it"),
    _delete(IMAGE, "images.delete", "Remove an image with its builds and all below"),
    _read(BUILDS, "builds.index", "The builds of an image", "Builds"),
    _create("POST", BUILDS, "Rebuild an image"),
    _read(BUILD, "builds.show", "One build with its target images", "BuildDetail"),
    _delete(BUILD, "builds.delete", "Remove a build with its target images and all below"),
    _read(TARGET_IMAGES, "target_images.index", "The target images of a build", "TargetImages"),
    _create("POST", TARGET_IMAGES, "Add targets to a build"),
    _read(TARGET_IMAGE, "target_images.show", "One target image and its job", "Builder"),
    _read(TARGET_IMAGE + "/status", "target_images.status", "Where its job stands", "Status"),
    _delete(TARGET_IMAGE, "target_images.delete", "Remove a target image with its provider images"),
    _read(PROVIDER_IMAGES, "provider_images.index", "The provider images of a target image", "ProviderImages"),
    _push(PROVIDER_IMAGES),
    *_provider_image(PROVIDER_IMAGE),
    _read(
        ROOT + "/provider_images",
        "provider_images.index",
        "All provider images, in order of their ids",
        "ProviderImages",
        query=("limit", "after"),
    ),
    _push(ROOT + "/provider_images"),
    *_provider_image(ROOT + "/provider_images/{provider_image_id}"),
    _read(BUILDERS, "builders.index", "All jobs, oldest first", "Builders", query=("status", "limit", "after")),
    _read(BUILDER, "builders.show", "One job", "Builder"),
    _read(BUILDER + "/status", "builders.status", "Where a job stands", "Status"),
    _read(BUILDER + "/log", "builders.log", "The log of a job", query=("follow", "after"), media="text/plain"),
    _write(("DELETE", BUILDER), "builders.cancel", "Cancel a job; it will be FAILED", response="Builder"),
    _write(("POST", BUILDER + "/retry"), "builders.retry", "Run a failed build again", response="Builder"),
    _read(TARGETS, "targets.index", "All targets", "Targets"),
    _read(TARGET, "targets.show", "One target", "Target"),
    _read(PROVIDERS, "targets.providers", "The providers of a target that are known by name", "Providers"),
    _read(PROVIDERS + "/{provider_name}", "targets.provider", "One provider", "Provider"),
    Route(
        "GET",
        ROOT + "/events",
        "events.stream",
        "What happens to jobs, as it happens (Server-Sent Events)",
        query=("id", "after"),
        headers=("Last-Event-ID",),
        media="text/event-stream",
    ),
    Route("GET", "/health", "info.health", "Whether the daemon works", response="Health", public=True, others=(503,)),
    _read("/metrics", "info.metrics", "Numbers for Prometheus", media="text/plain"),
)
