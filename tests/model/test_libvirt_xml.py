"""The libvirt domain of an image."""

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.libvirt_xml import Domain, domain_xml, machine_name
from imagefactory.model.template import Arch

ID = "5f6c1f3e-2d3a-4d3b-9a55-0c1f1a2b3c4d"


class DomainTests(SynchronousTestCase):
    """Well-formed and complete whatever it is asked for."""

    @given(st.text(), st.text(), st.text(), st.sampled_from(Arch))
    def test_any_text_makes_a_domain(self, name: str, title: str, disk: str, arch: Arch) -> None:
        """Texts that XML or libvirt cannot hold are made such that they can."""
        root = etree.fromstring(domain_xml(Domain(name, ID, arch, disk, "raw", title)).encode())
        self.assertRegex(root.findtext("name") or "", r"^[A-Za-z0-9._+-]{1,200}$")
        self.assertNotIn("\n", root.findtext("title") or "")

    @given(st.text())
    def test_a_name_is_no_path(self, text: str) -> None:
        """It may become a file name at the provider."""
        name = machine_name(text)
        self.assertNotIn(name, {"", ".", ".."})
        self.assertEqual(machine_name(name), name)

    def test_what_a_guest_needs(self) -> None:
        """A virtio disk of that format, a virtio card, a serial console, an agent's channel."""
        root = etree.fromstring(domain_xml(Domain("web", ID, Arch.X86_64, "/images/a & b.img", "qcow2")).encode())
        found = {
            "type": root.find("os/type[@arch='x86_64']"),
            "disk": root.find("devices/disk[source][target]/driver[@type='qcow2']"),
            "card": root.find("devices/interface/model[@type='virtio']"),
            "console": root.find("devices/console[@type='pty']"),
            "agent": root.find("devices/channel/target[@name='org.qemu.guest_agent.0']"),
        }
        self.assertEqual([name for name, element in found.items() if element is None], [])
        self.assertEqual(root.xpath("string(devices/disk/source/@file)"), "/images/a & b.img")

    def test_an_id_that_is_no_uuid_is_left_out(self) -> None:
        """libvirt would refuse the whole domain."""
        root = etree.fromstring(domain_xml(Domain("web", "my-id", Arch.X86_64, "a", "raw")).encode())
        self.assertIsNone(root.find("uuid"))

    def test_arches(self) -> None:
        """libvirt's words for them; ARM boots by UEFI."""
        words = {}
        for arch in (Arch.I386, Arch.AARCH64, Arch.S390X):
            root = etree.fromstring(domain_xml(Domain("web", ID, arch, "a", "raw")).encode())
            words[arch] = (root.xpath("string(os/type/@arch)"), root.xpath("string(os/@firmware)"))
        self.assertEqual(list(words.values()), [("i686", ""), ("aarch64", "efi"), ("s390x", "")])
