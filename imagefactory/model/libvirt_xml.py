"""A libvirt domain that runs an image: the `target_parameters` of some targets.

The format is libvirt's, https://libvirt.org/formatdomain.html.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from lxml import etree

from imagefactory.model.template import Arch

#: Where libvirt's word is not TDL's.
_ARCHES = {Arch.I386: "i686"}
_MACHINES = {
    Arch.AARCH64: "virt",
    Arch.ARMV7L: "virt",
    Arch.PPC64: "pseries",
    Arch.PPC64LE: "pseries",
    Arch.S390X: "s390-ccw-virtio",
}
_FEATURES = {Arch.X86_64: ("acpi", "apic"), Arch.I386: ("acpi", "apic"), Arch.AARCH64: ("acpi",)}
_EVENTS = (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy"))
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._+-]+")
_NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]+")
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Domain:
    """A small virtual machine with one virtio disk and one virtio network card.

    `disk` is the path of the image as the host will know it, `format` qemu's word for it, `name` and `title` any text,
    `id` the UUID of the image.
    """

    name: str
    id: str
    arch: Arch
    disk: str
    format: str
    title: str = ""
    memory_mib: int = 1024
    cpus: int = 1


def domain_xml(domain: Domain) -> str:
    """Returns the document, indented, without declaration (it is stored as a text attribute)."""
    root = _element("domain", type="kvm")
    root.append(_text("name", machine_name(domain.name)))
    root.extend(_identity(domain))
    root.append(_text("memory", str(domain.memory_mib), unit="MiB"))
    root.append(_text("vcpu", str(domain.cpus)))
    root.extend([_os(domain.arch), _features(domain.arch), _element("clock", offset="utc")])
    root.extend(_text(event, action) for event, action in _EVENTS)
    root.append(_devices(domain))
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def machine_name(text: str) -> str:
    """Returns a name that libvirt and file systems accept, made from any text."""
    return _NOT_IN_A_NAME.sub("-", text).strip("-.")[:LONGEST_NAME] or "image"


def _identity(domain: Domain) -> list[etree._Element]:
    """Returns the elements of id and title; an id that is no UUID is left out: libvirt then makes one."""
    elements = []
    with suppress(ValueError):
        elements.append(_text("uuid", str(UUID(domain.id))))
    if title := _NOT_IN_XML.sub(" ", domain.title).strip():
        elements.append(_text("title", title))
    return elements


def _os(arch: Arch) -> etree._Element:
    machine = {"machine": _MACHINES[arch]} if arch in _MACHINES else {}
    firmware = {"firmware": "efi"} if arch is Arch.AARCH64 else {}
    kind = _text("type", "hvm", arch=_ARCHES.get(arch, arch.value), **machine)
    return _element("os", kind, _element("boot", dev="hd"), **firmware)


def _features(arch: Arch) -> etree._Element:
    return _element("features", *(_element(name) for name in _FEATURES.get(arch, ())))


def _devices(domain: Domain) -> etree._Element:
    disk = (
        _element("driver", name="qemu", type=domain.format),
        _element("source", file=_NOT_IN_XML.sub(" ", domain.disk)),
        _element("target", dev="vda", bus="virtio"),
    )
    network = (_element("source", network="default"), _element("model", type="virtio"))
    agent = _element("target", type="virtio", name="org.qemu.guest_agent.0")
    return _element(
        "devices",
        _element("disk", *disk, type="file", device="disk"),
        _element("interface", *network, type="network"),
        _element("serial", _element("target", port="0"), type="pty"),
        _element("console", _element("target", type="serial", port="0"), type="pty"),
        _element("channel", agent, type="unix"),
        _element("rng", _text("backend", "/dev/urandom", model="random"), model="virtio"),
        _element("graphics", type="vnc", port="-1", autoport="yes"),
    )


def _element(tag: str, *children: etree._Element, **attributes: str) -> etree._Element:
    element = etree.Element(tag, attributes)
    element.extend(children)
    return element


def _text(tag: str, text: str, **attributes: str) -> etree._Element:
    element = _element(tag, **attributes)
    element.text = text
    return element
