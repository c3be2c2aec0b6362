"""From a template document (TDL, XML) to a `Template`.

The language is that of Oz (its `tdl.rng`, described anew in our `tdl.rng`), with three freedoms: base64 may be wrapped
into lines, a comment does not cut a text short, and any encoding declaration is read. Texts are stripped of outer
white space, file contents too, as Oz does it; base64 keeps every byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from imagefactory.lib.errors import InvalidInput
from imagefactory.model import tdl_values as values
from imagefactory.model.reading import Node, Problems, Text, quoted
from imagefactory.model.schema import check_schema
from imagefactory.model.template import (
    Arch,
    Checksum,
    Content,
    Extra,
    GuestFile,
    Inline,
    Install,
    IsoInstall,
    OperatingSystem,
    Remote,
    Repository,
    Script,
    Template,
    UrlInstall,
)
from imagefactory.model.xml import parse_xml, utf8

MESSAGE = "this template cannot be used"
CONTENT_TYPES = ("raw", "base64", "url")
CHECKSUMS = ("md5", "sha1", "sha256")


def parse_template(document: bytes, *, limit: int = 1 << 20) -> Template:
    """Returns the template that `document` describes.

    Raises TooLarge above `limit` bytes, else InvalidInput with everything that is wrong, each with line, element, value
    and what is allowed. Passwords are never quoted.
    """
    root = parse_xml(document, what="template", limit=limit)
    problems = Problems()
    node = Node(root, problems)
    if node.name != "template":
        node.problem("the root element of a template is <template>")
        problems.check(MESSAGE)
    template = _template(node)
    node.end()
    problems.check(MESSAGE)
    check_schema(root, MESSAGE)
    return replace(template, source=utf8(document, root))


def parse_loosely(document: bytes, *, limit: int = 1 << 20) -> Template:
    """As `parse_template`, but for targets that install nothing (mock): any XML with the root `template` will do.

    What is no good template has the name that it gives, if that is a good one, and an operating system without a name,
    which no family knows: such a template cannot become a real image by accident.
    """
    try:
        return parse_template(document, limit=limit)
    except InvalidInput:
        root = parse_xml(document, what="template", limit=limit)
        if root.tag != "template":
            raise
        nothing = OperatingSystem("", "", Arch.X86_64, UrlInstall(""))
        return Template(name=_good_name(root), os=nothing, source=utf8(document, root))


def _good_name(root: etree._Element) -> str:
    element, problems = root.find("name"), Problems()
    name = "" if element is None else values.file_name(Node(element, problems).text())
    return "" if problems else name


def _template(node: Node) -> Template:
    version = node.attribute("version")
    if version:
        version.choice(("1.0",))
    description, disk = node.optional("description"), node.optional("disk")
    return Template(
        name=values.file_name(node.one("name").text()),
        os=_os(node.one("os")),
        description=values.paragraph(description.text()) if description else "",
        disk_size=_disk_size(disk) if disk else None,
        repositories=repositories(node),
        packages=packages(node),
        files=_files(node),
        precommands=_scripts(node, "precommands"),
        commands=_scripts(node, "commands"),
    )


def _listed(node: Node, group: str, item: str) -> Iterator[Node]:
    """The `item` elements in the `group` element, which may be absent."""
    found = node.optional(group)
    yield from found.all(item) if found else ()


def _os(node: Node) -> OperatingSystem:
    kernel, password, key = node.optional("kernelparam"), node.optional("rootpw"), node.optional("key")
    icicle = node.optional("icicle")
    extra = icicle.optional("extra_command") if icicle else None
    return OperatingSystem(
        name=values.line(node.one("name").text()),
        version=values.line(node.one("version").text()),
        arch=Arch(node.one("arch").text().choice([arch.value for arch in Arch])),
        install=_install(node.one("install")),
        kernel_parameters=values.optional_line(kernel.text()) if kernel else "",
        root_password=values.secret_line(password.text()) if password else None,
        key=values.secret_line(key.text()) if key else None,
        icicle_extra_command=values.optional_line(extra.text()) if extra else "",
    )


def _install(node: Node) -> Install:
    if node.needs_attribute("type").choice(("url", "iso")) == "url":
        return UrlInstall(values.url(node.one("url").text(), "http", "https", "ftp", "file"))
    extras = node.optional("extras")
    return IsoInstall(
        iso=values.url(node.one("iso").text(), "http", "https", "file"),
        checksum=_checksum(node),
        extras=_extras(extras) if extras else (),
    )


def _checksum(node: Node) -> Checksum | None:
    found = [(name, child) for name in CHECKSUMS if (child := node.optional(f"{name}sum"))]
    for _, child in found[1:]:
        child.problem("only one of <md5sum>, <sha1sum>, <sha256sum> may be given")
    sums = [Checksum(name, values.url(child.text(), "http", "https", "file")) for name, child in found]
    return sums[0] if sums else None


def _extras(node: Node) -> tuple[Extra, ...]:
    found = tuple(_extra(child) for name in ("directory", "file") for child in node.all(name))
    if not found:
        node.problem("at least one <directory> or <file> is needed")
    return found


def _extra(node: Node) -> Extra:
    return Extra(
        source=values.url(node.needs_attribute("source"), "http", "https", "ftp", "file"),
        destination=values.relative_path(node.needs_attribute("destination")),
        directory=node.name == "directory",
    )


def _disk_size(node: Node) -> int | None:
    size = node.optional("size")
    return values.disk_size(size.text()) if size else None


def packages(node: Node) -> tuple[str, ...]:
    """The packages that a document lists in its `packages` element; what else it says about them is not used."""
    return tuple(_package(child) for child in _listed(node, "packages", "package"))


def _package(node: Node) -> str:
    for unused in ("repository", "file", "arguments"):
        child = node.optional(unused)
        if child:
            child.text()
    return values.package_name(node.needs_attribute("name"))


def repositories(node: Node) -> tuple[Repository, ...]:
    """The repositories that a document lists in its `repositories` element; of two with one name the later counts."""
    found = [_repository(child) for child in _listed(node, "repositories", "repository")]
    return tuple({repository.name: repository for repository in found}.values())


def _repository(node: Node) -> Repository:
    return Repository(
        name=values.repository_name(node.needs_attribute("name")),
        url=values.repository_url(node.one("url").text()),
        signed=_said(node, "signed"),
        persisted=_flag(node, "persisted", default=True),
        ssl_verify=_flag(node, "sslverify", default=False),
    )


def _flag(node: Node, name: str, *, default: bool) -> bool:
    said = _said(node, name)
    return default if said is None else said


def _said(node: Node, name: str) -> bool | None:
    child = node.optional(name)
    return values.boolean(child.text()) if child else None


def _files(node: Node) -> tuple[GuestFile, ...]:
    """Returns the files, none of which can stand in another's way."""
    nodes = list(_listed(node, "files", "file"))
    files = tuple(_file(child) for child in nodes)
    names = [file.name for file in files]
    for place, (child, name) in enumerate(zip(nodes, names, strict=True)):
        if name in names[:place]:
            child.problem(f"the file {quoted(name)} is there already: each may be written once")
        above = next((other for other in names if name.startswith(f"{other}/")), None)
        if above:
            child.problem(f"the file {quoted(name)} cannot be below {quoted(above)}, which is a file, too")
    return files


def _file(node: Node) -> GuestFile:
    return GuestFile(name=values.guest_path(node.needs_attribute("name")), content=_content(node))


def _content(node: Node) -> Content:
    kind, text = node.attribute("type"), node.text()
    match kind.choice(CONTENT_TYPES) if kind else "raw":
        case "url":
            return Remote(values.url(text, "http", "https", "file"))
        case "base64":
            return Inline(values.base64_data(text))
        case _:
            return Inline(text.value.encode())


def _scripts(node: Node, group: str) -> tuple[Script, ...]:
    """Returns the commands of a group in the order they run in."""
    commands = list(_listed(node, group, "command"))
    scripts = [_script(command) for command in commands]
    positions = [command.attribute("position") for command in commands]
    if not any(positions):
        return tuple(scripts)
    order = _order(commands, positions)
    return tuple(script for _, script in sorted(zip(order, scripts, strict=True), key=lambda pair: pair[0]))


def _script(node: Node) -> Script:
    script = Script(name=values.line(node.needs_attribute("name")), content=_content(node))
    if script.content == Inline(b""):
        node.problem("a command needs a text")
    return script


def _order(commands: list[Node], positions: list[Text | None]) -> list[int]:
    """Positions as numbers: given to all commands of a list or to none, and exactly 1 to n."""
    places = {str(number): number for number in range(1, len(commands) + 1)}
    free = set(places)
    for command, position in zip(commands, positions, strict=True):
        if position is None:
            command.problem("the attribute position is missing: all commands of a list have it, or none")
        elif position.value not in free:
            position.problem(f"does not fit: each of 1 to {len(commands)} is needed exactly once")
        else:
            free.remove(position.value)
    return [places.get(position.value, 0) if position else 0 for position in positions]
