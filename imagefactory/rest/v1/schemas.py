"""The documents of the API as JSON Schemas (2020-12), for the OpenAPI document and the manual page."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

#: What a job can be, as version 1.0 writes it.
JOB_STATUSES = ("NEW", "BUILDING", "PUSHING", "DELETING", "COMPLETED", "FAILED")

TEXT: Schema = {"type": "string"}
MAYBE: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "integer"}
MAYBE_NUMBER: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": "boolean"}
TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def about(schema: Schema, description: str) -> Schema:
    """Returns `schema` with a description."""
    return {**schema, "description": description}


def ref(name: str) -> Schema:
    """Returns a reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listing(item: str) -> Schema:
    """Returns the schema of a list of documents."""
    return {"type": "array", "items": ref(item)}


def record(optional: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """Returns the schema of an object with these properties, all required but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def kind(*names: str) -> Schema:
    """Returns the schema of the field `_type`."""
    return {"type": "string", "enum": list(names)}


_FORMS = about({"type": "array", "items": TEXT}, "forms of further names that need no definition, like ec2-REGION")
_LINKED = {"id": TEXT, "href": TEXT}
_JOB_KINDS = ("builder", "target_image_status", "provider_image_status")
_IMAGE_FIELDS = {
    **_LINKED,
    "template": MAYBE,
    "latest_build": MAYBE,
    "latest_unpushed": MAYBE,
    "descriptor": TEXT,
}
_BUILD_FIELDS = {**_LINKED, "image_id": TEXT, "parent": MAYBE, "created": TIME}
_ANSWERS = {"type": "string", "enum": ["ok", "no answer"]}
JOB_STATUS: Schema = {"type": "string", "enum": list(JOB_STATUSES)}

ANSWERS: dict[str, Schema] = {
    "Api": record(name=TEXT, version=TEXT),
    "Document": {"type": "object"},
    "Health": record(
        ("job_store", "warehouse"),
        status=about({"type": "string", "enum": ["ok", "stopping", "failing"]}, "anything but ok is 503"),
        version=TEXT,
        job_store=_ANSWERS,
        warehouse=_ANSWERS,
    ),
    "Error": record(
        error=about(TEXT, "what happened, and where"),
        hint=about(MAYBE, "what to do"),
        incident=about(MAYBE, "what to search for in the daemon's log, if the error was unexpected"),
    ),
    "Link": record(_type=kind("provider_image"), **_LINKED),
    "NewTargetImage": record(
        ("provider_images",), _type=kind("target_image"), **_LINKED, provider_images=listing("Link")
    ),
    "NewBuild": record(_type=kind("build"), **_LINKED, target_images=listing("NewTargetImage")),
    "Image": record(_type=kind("image"), **_LINKED, build=ref("NewBuild")),
    "Pushed": record(_type=kind("provider_image"), **_LINKED),
    "StoredImage": record(_type=kind("image"), **_IMAGE_FIELDS),
    "Images": record(_type=kind("images"), href=TEXT, images=listing("StoredImage")),
    "ImageDetail": record(_type=kind("image"), **_IMAGE_FIELDS, builds=listing("StoredBuild")),
    "StoredBuild": record(_type=kind("build"), **_BUILD_FIELDS),
    "Builds": record(_type=kind("builds"), href=TEXT, builds=listing("StoredBuild")),
    "BuildDetail": record(_type=kind("build"), **_BUILD_FIELDS, target_images=listing("StoredTargetImage")),
    "StoredTargetImage": record(
        _type=kind("target_image"),
        **_LINKED,
        target=TEXT,
        image_id=TEXT,
        build_id=TEXT,
        template=MAYBE,
        icicle=MAYBE,
        target_parameters=MAYBE,
        size=about(MAYBE_NUMBER, "bytes"),
    ),
    "TargetImages": record(_type=kind("target_images"), href=TEXT, target_images=listing("StoredTargetImage")),
    "StoredProviderImage": record(
        _type=kind("provider_image"),
        **_LINKED,
        target_image_id=TEXT,
        provider=TEXT,
        target_identifier=MAYBE,
        provider_account_identifier=MAYBE,
        icicle=MAYBE,
    ),
    "ProviderImages": record(_type=kind("provider_images"), href=TEXT, provider_images=listing("StoredProviderImage")),
    "Stage": record(
        stage=about(TEXT, "base, customise or adapt"),
        key=TEXT,
        hit=about(FLAG, "whether the cache had it"),
        changed=about({"type": "array", "items": TEXT}, "inputs that differ from the nearest cached result"),
        seconds={"type": ["number", "null"]},
    ),
    "JobError": record(message=TEXT, hint=MAYBE, incident=MAYBE, cancelled=FLAG),
    "Builder": record(
        _type=kind(*_JOB_KINDS),
        **_LINKED,
        operation={"type": "string", "enum": ["build", "push", "delete"]},
        status=about(JOB_STATUS, "COMPLETED and FAILED are final; a cancelled job is FAILED"),
        completed=about(NUMBER, "percent"),
        target=TEXT,
        image_id=TEXT,
        build_id=TEXT,
        target_image_id=about(MAYBE, "the image that a push pushes"),
        provider_image_id=about(MAYBE, "the image that is deleted at its provider"),
        provider=MAYBE,
        provider_account_identifier=MAYBE,
        activity=about(TEXT, "what goes on, for people"),
        error={"anyOf": [ref("JobError"), {"type": "null"}]},
        target_identifier=about(MAYBE, "what the provider calls the pushed image"),
        size=about(MAYBE_NUMBER, "bytes of the built image"),
        queue_position=about(MAYBE_NUMBER, "1 is next; null: not waiting"),
        created=TIME,
        started=TIME,
        ended=TIME,
        stages=listing("Stage"),
    ),
    "Builders": record(_type=kind("builders"), href=TEXT, builders=listing("Builder")),
    "Status": record(_type=kind("builder_status", *_JOB_KINDS[1:]), **_LINKED, status=JOB_STATUS),
    "Leftover": record(
        _type=kind("leftover"),
        token=about(TEXT, "its unique name, which the provider was given if it takes such"),
        provider_image_id=about(TEXT, "of the push, which is that of its job"),
        target=TEXT,
        provider=TEXT,
        account=about(MAYBE, "the provider_account_identifier"),
        kind=about(TEXT, "what it is, in words of the target"),
        identifier=about(MAYBE, "the provider's name for it"),
        state=about(
            {"type": "string", "enum": ["intended", "created", "kept", "deleting"]},
            "intended: it may not exist; kept: until the record of its image was to be stored",
        ),
        created=TIME,
        note=about(TEXT, "what it is for, or why it could not be deleted"),
    ),
    "Leftovers": record(_type=kind("leftovers"), href=TEXT, leftovers=listing("Leftover")),
    "NamedTarget": record(_type=kind("target"), name=TEXT, href=TEXT),
    "Targets": record(_type=kind("targets"), href=TEXT, targets=listing("NamedTarget")),
    "Target": record(_type=kind("target"), name=TEXT, href=TEXT, providers=listing("Provider"), names=_FORMS),
    "Provider": record(_type=kind("provider"), name=TEXT, target=TEXT, href=TEXT),
    "Providers": record(_type=kind("providers"), href=TEXT, providers=listing("Provider"), names=_FORMS),
}

_IDS = {
    "image_id": about(TEXT, "if it is not in the address"),
    "build_id": about(TEXT, "if it is not in the address; for a build: add the targets to this one"),
}
BODIES: dict[str, Schema] = {
    "NewImage": {
        "type": "object",
        "description": "A build needs template and targets; an import the four other texts.",
        "properties": {
            "template": about(TEXT, "XML, a URL, or a UUID in the warehouse"),
            "targets": about(TEXT, "names, separated by commas"),
            "boot_check": about({"type": ["boolean", "string", "null"]}, "boot the image before it is called complete"),
            "target_name": about(TEXT, "import: the target"),
            "provider_name": about(TEXT, "import: the provider, as for a push; only its name is kept"),
            "target_identifier": about(TEXT, "import: what the provider calls the image"),
            "image_descriptor": about(TEXT, "import: XML, image with a name"),
            **_IDS,
        },
        "anyOf": [
            {"required": ["template", "targets"]},
            {"required": ["target_name", "provider_name", "target_identifier", "image_descriptor"]},
        ],
    },
    "NewPush": {
        "type": "object",
        "properties": {
            "provider": about(TEXT, "a name, or a definition as JSON or XML, of which only the name is kept"),
            "credentials": about(TEXT, "XML with provider_credentials; never stored, never shown"),
            **_IDS,
            "target_image_id": about(TEXT, "push this very image, not the build's for the provider's target"),
        },
        "required": ["provider", "credentials"],
    },
    "Retry": {
        "type": "object",
        "properties": {
            "credentials": about(TEXT, "for a push or a deletion: they are not kept"),
            "provider": about(TEXT, "the definition, again, if it was defined in place"),
        },
    },
    "Removal": {
        "type": "object",
        "properties": {
            "credentials": about(TEXT, "to remove the image at the provider"),
            "provider": about(TEXT, "the definition, again, if it was pushed to a provider defined in place"),
            "keep_on_provider": about({"type": ["boolean", "string"]}, "remove it from the warehouse only"),
        },
    },
}
