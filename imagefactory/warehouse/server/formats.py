"""Lists as iwhd wrote them: XML without a declaration, or JSON, both with tabs; unlike there, names are escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote
from xml.sax.saxutils import escape

from imagefactory.warehouse.store.providers import ReplicationProvider

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Values = Mapping[str, Mapping[str, str]]
Look = Callable[[Sequence[str]], Values]
_KEYS, _WITH_ATTRIBUTES = 1000, 100  # objects in one piece

VERSION = "0.96"
"""The version of iwhd whose API this is; clients read it in the root."""


def root(url: str, buckets: Iterable[str], *, as_json: bool) -> bytes:
    """The list of the API's entry points."""
    links = [("bucket_factory", f"{url}/_new"), ("provider_list", f"{url}/_providers")]
    links += [("bucket", f"{url}/{_path(name)}") for name in buckets]
    if not as_json:
        lines = [f"\t<link rel={_quoted(rel)} href={_quoted(href)}/>" for rel, href in links]
        return _lines(f'<api service="image_warehouse" version="{VERSION}">', *lines, "</api>")
    entries = [f"\t\t{{\n\t\t\t{_member('rel', rel)},\n\t\t\t{_member('link', href)}\n\t\t}}" for rel, href in links]
    head = f'{{\n\t"service": "image_warehouse",\n\t"version": "{VERSION}",\n\t"providers":\n\t['
    return _lines(head, ",\n".join(entries), "\t]\n}")


def objects(bucket: str, keys: Sequence[str], *, as_json: bool, attributes: Look | None = None) -> Iterator[bytes]:
    """A listing or a query result in pieces; `attributes` (ours) looks up some attributes of some objects."""
    write = _objects_json if as_json else _objects_xml
    yield b"[\n" if as_json else b"<objects>\n"
    step = _WITH_ATTRIBUTES if attributes else _KEYS
    for start in range(0, len(keys), step):
        some = keys[start : start + step]
        text = write(bucket, some, attributes and attributes(some))
        yield (text + (",\n" if start + step < len(keys) else "\n") if as_json else text).encode()
    yield b"]\n" if as_json else b"</objects>\n"


def _objects_json(bucket: str, keys: Sequence[str], attributes: Values | None) -> str:
    head = f"\t{{\n\t\t{_member('bucket', bucket)},\n\t\t"
    return ",\n".join(f"{head}{_member('key', key)}{_more(attributes, key)}\n\t}}" for key in keys)


def _more(attributes: Values | None, key: str) -> str:
    if attributes is None:
        return ""
    return f',\n\t\t"attributes": {json.dumps(attributes.get(key, {}), ensure_ascii=False)}'


def _objects_xml(bucket: str, keys: Sequence[str], attributes: Values | None) -> str:
    head = f"\t<object>\n\t\t<bucket>{escape(bucket)}</bucket>\n\t\t<key>"
    return "".join(f"{head}{escape(key)}</key>\n{_values_xml(attributes, key)}\t</object>\n" for key in keys)


def _values_xml(attributes: Values | None, key: str) -> str:
    return "".join(
        f"\t\t<object_attr name={_quoted(name)}>{_text(value)}</object_attr>\n"
        for name, value in (attributes or {}).get(key, {}).items()
    )


def parts(url: str, names: Iterable[str], *, as_json: bool) -> bytes:
    """What an object consists of; `url` is the object's. The JSON form is valid, which iwhd's was not."""
    paths = [(name, f"{url}/{_path(name)}") for name in names]
    if as_json:
        members = [_member("object_body", url), _member("object_attr_list", f"{url}/_attrs")]
        members += [_member(f"attr_{name}", path) for name, path in paths]
        return _lines("{", ",\n".join(f"\t{member}" for member in members), "}")
    lines = [f"\t<object_attr name={_quoted(name)} path={_quoted(path)}/>" for name, path in paths]
    head = [f"\t<object_body path={_quoted(url)}/>", f"\t<object_attr_list path={_quoted(url + '/_attrs')}/>"]
    return _lines("<object>", *head, *lines, "</object>")


def values(url: str, attributes: Mapping[str, str], *, as_json: bool) -> bytes:
    """All attributes with their values (ours)."""
    if as_json:
        return _lines("{", ",\n".join(f"\t{_member(name, value)}" for name, value in attributes.items()), "}")
    lines = [
        f"\t<object_attr name={_quoted(name)} path={_quoted(f'{url}/{_path(name)}')}>{_text(value)}</object_attr>"
        for name, value in attributes.items()
    ]
    head = [f"\t<object_body path={_quoted(url)}/>", f"\t<object_attr_list path={_quoted(url + '/_attrs')}/>"]
    return _lines("<object>", *head, *lines, "</object>")


def providers(known: Iterable[ReplicationProvider], *, as_json: bool) -> bytes:
    """The provider list; the passwords in it are always empty."""
    if as_json:
        entries = [
            "\t{\n"
            + ",\n".join(f"\t\t{_member(name, value)}" for name, value in (("name", one.name), *_public(one)))
            + "\n\t}"
            for one in known
        ]
        return _lines("[", *([",\n".join(entries)] if entries else []), "]")
    lines = []
    for one in known:
        lines.append(f"\t<provider name={_quoted(one.name)}>")
        lines += [f"\t\t<{name}>{escape(str(value))}</{name}>" for name, value in _public(one)]
        lines.append("\t</provider>")
    return _lines("<providers>", *lines, "</providers>")


def _public(one: ReplicationProvider) -> tuple[tuple[str, str | int], ...]:
    return (
        ("type", one.type),
        ("host", one.host),
        ("port", one.port),
        ("username", one.username),
        ("password", ""),
    )


def object_url(root_url: str, *names: str) -> str:
    """The URL of a bucket, object or attribute."""
    return "/".join((root_url, *map(_path, names)))


def _path(name: str) -> str:
    return quote(name, safe="-._~")


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines if line).encode()


def _member(name: str, value: str | int) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"


def _quoted(value: str) -> str:
    """An XML attribute, always in double quotes as iwhd wrote it."""
    return '"' + escape(value, {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}) + '"'


def _text(value: str) -> str:
    """A value as XML text: a carriage return survives, what XML 1.0 cannot say becomes U+FFFD."""
    allowed = _NOT_IN_XML.sub("\ufffd", value)
    return escape(allowed, {"\r": "&#13;"})
