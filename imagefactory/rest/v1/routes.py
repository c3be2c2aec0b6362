"""All routes of version 1.0."""

from __future__ import annotations

from dataclasses import replace

from imagefactory.rest.call import BodyFormat
from imagefactory.rest.route_table import Handler, Parameter, Route, RouteTable
from imagefactory.rest.v1 import (
    builders,
    builds,
    events,
    images,
    info,
    leftovers,
    paths,
    provider_images,
    target_images,
    targets,
)
from imagefactory.rest.v1.errors import ERRORS
from imagefactory.rest.v1.fields import read_fields, read_form
from imagefactory.rest.v1.parameters import (
    AFTER_EVENT,
    AFTER_IMAGE,
    AFTER_JOB,
    AFTER_LINE,
    AFTER_PROVIDER_IMAGE,
    FOLLOW,
    JOB_ID,
    KEEP_ON_PROVIDER,
    LAST_EVENT_ID,
    LIMIT,
    STATUS,
)
from imagefactory.rest.v1.services import ApiServices


def _read(
    path: str,
    handler: Handler[ApiServices],
    summary: str,
    response: str = "",
    *,
    query: tuple[Parameter, ...] = (),
    media: str = "application/json",
) -> Route[ApiServices]:
    return Route("GET", path, handler, summary, response=response, query=query, media=media)


def _write(
    method: str,
    path: str,
    handler: Handler[ApiServices],
    summary: str,
    status: int = 202,
    *,
    response: str = "",
    request: str = "",
    query: tuple[Parameter, ...] = (),
) -> Route[ApiServices]:
    return Route(method, path, handler, summary, status, response, request, query, protected=True)


def _create(method: str, path: str, summary: str) -> Route[ApiServices]:
    route = _write(method, path, images.create, summary, response="Image", request="NewImage")
    return replace(route, others=(200,))


def _push(path: str) -> Route[ApiServices]:
    summary = "Push to a provider; ids that are not in the address are in the body"
    return _write("POST", path, provider_images.create, summary, response="Pushed", request="NewPush")


def _delete(path: str, handler: Handler[ApiServices], summary: str) -> Route[ApiServices]:
    return _write("DELETE", path, handler, summary, 204)


def _provider_image(path: str) -> tuple[Route[ApiServices], ...]:
    """One provider image, below its parents or by itself."""
    removal = _delete(path, provider_images.delete, "Remove an image from its provider and the warehouse")
    return (
        _read(path, provider_images.show, "One provider image and its job", "Builder"),
        _read(path + "/status", provider_images.status, "Where its job stands", "Status"),
        replace(removal, request="Removal", query=(KEEP_ON_PROVIDER,)),
    )


_ROUTES: tuple[Route[ApiServices], ...] = (
    _read(paths.ROOT, info.version, "Name and version of the API", "Api"),
    _read(paths.OPENAPI, info.openapi, "This description", "Document"),
    _read(paths.IMAGES, images.index, "All images, in order of their ids", "Images", query=(LIMIT, AFTER_IMAGE)),
    _create("POST", paths.IMAGES, "Build an image, or import one"),
    _read(paths.IMAGE, images.show, "One image with its builds", "ImageDetail"),
    _create("PUT", paths.IMAGE, "Rebuild an image (which need not be known), or import into it"),
    _delete(paths.IMAGE, images.delete, "Remove an image with its builds and all below"),
    _read(paths.BUILDS, builds.index, "The builds of an image", "Builds"),
    _create("POST", paths.BUILDS, "Rebuild an image"),
    _read(paths.BUILD, builds.show, "One build with its target images", "BuildDetail"),
    _delete(paths.BUILD, builds.delete, "Remove a build with its target images and all below"),
    _read(paths.TARGET_IMAGES, target_images.index, "The target images of a build", "TargetImages"),
    _create("POST", paths.TARGET_IMAGES, "Add targets to a build"),
    _read(paths.TARGET_IMAGE, target_images.show, "One target image and its job", "Builder"),
    _read(paths.TARGET_IMAGE + "/status", target_images.status, "Where its job stands", "Status"),
    _delete(paths.TARGET_IMAGE, target_images.delete, "Remove a target image with its provider images"),
    _read(paths.PROVIDER_IMAGES, provider_images.index, "The provider images of a target image", "ProviderImages"),
    _push(paths.PROVIDER_IMAGES),
    *_provider_image(paths.PROVIDER_IMAGE),
    _read(
        paths.ALL_PROVIDER_IMAGES,
        provider_images.index,
        "All provider images, in order of their ids",
        "ProviderImages",
        query=(LIMIT, AFTER_PROVIDER_IMAGE),
    ),
    _push(paths.ALL_PROVIDER_IMAGES),
    *_provider_image(paths.ONE_PROVIDER_IMAGE),
    _read(paths.BUILDERS, builders.index, "All jobs, oldest first", "Builders", query=(STATUS, LIMIT, AFTER_JOB)),
    _read(paths.BUILDER, builders.show, "One job", "Builder"),
    _read(paths.BUILDER + "/status", builders.status, "Where a job stands", "Status"),
    _read(paths.BUILDER + "/log", builders.log, "The log of a job", query=(FOLLOW, AFTER_LINE), media="text/plain"),
    _write("DELETE", paths.BUILDER, builders.cancel, "Cancel a job; it will be FAILED", response="Builder"),
    _write(
        "POST",
        paths.BUILDER + "/retry",
        builders.retry,
        "Run a failed job again; a push or a deletion needs its credentials",
        response="Builder",
        request="Retry",
    ),
    _read(paths.TARGETS, targets.index, "All targets", "Targets"),
    _read(paths.TARGET, targets.show, "One target", "Target"),
    _read(paths.PROVIDERS, targets.providers, "The providers of a target that are known by name", "Providers"),
    _read(paths.PROVIDER, targets.provider, "One provider", "Provider"),
    _read(paths.LEFTOVERS, leftovers.index, "What interrupted pushes left at providers, oldest first", "Leftovers"),
    Route(
        "GET",
        paths.EVENTS,
        events.stream,
        "What happens to jobs, as it happens (Server-Sent Events)",
        query=(JOB_ID, AFTER_EVENT),
        headers=(LAST_EVENT_ID,),
        media="text/event-stream",
    ),
)

_ROOT_ROUTES: tuple[Route[ApiServices], ...] = (
    Route("GET", "/health", info.health, "Whether the daemon works", response="Health", public=True, others=(503,)),
    _read("/metrics", info.metrics, "Numbers for Prometheus", media="text/plain"),
)

_BODIES = BodyFormat(read_fields, read_form)

#: Version 1.0.
TABLE = RouteTable(paths.ROOT, _ROUTES, ERRORS, info.VERSION, _BODIES)
#: What stands beside it at the root of the site.
ROOT_TABLE = RouteTable("", _ROOT_ROUTES, ERRORS, info.VERSION, _BODIES)
#: Those that version 1.0 documents.
ROUTES = (*TABLE.routes, *ROOT_TABLE.routes)
