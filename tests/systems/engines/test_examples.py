"""The templates that are shipped as examples."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.model.tdl import parse_template
from imagefactory.model.template import UrlInstall
from imagefactory.systems.families.registry import find

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
EXPECTED = {
    "debian-12": ("Debian", "12"),
    "debian-13": ("Debian", "13"),
    "ubuntu-24.04": ("Ubuntu", "24.04"),
    "fedora-42": ("Fedora", "42"),
    "almalinux-9": ("AlmaLinux", "9"),
}


class ExamplesTests(SynchronousTestCase):
    """All of them, as they are."""

    def test_each_is_a_template_of_a_known_system(self) -> None:
        """They parse, name a release we know, and can be planned up to the mirror."""
        for name, expected in EXPECTED.items():
            template = parse_template((EXAMPLES / f"{name}.tdl").read_bytes())
            family, release = find(template.os)
            self.assertEqual((release.os, release.version), expected)
            assert isinstance(template.os.install, UrlInstall)
            self.assertTrue(family.bootstrap(template, release, template.os.install.url).packages)
            family.add_repositories(template.repositories, release)

    def test_none_names_a_real_mirror_or_opens_a_door(self) -> None:
        """Placeholders only, and no password that a user would ship by accident."""
        for path in EXAMPLES.glob("*.tdl"):
            template = parse_template(path.read_bytes())
            self.assertIsNone(template.os.root_password, path.name)
            hosts = {part.split("/")[0] for part in path.read_text().split("http://")[1:]}
            self.assertLessEqual(hosts, {"mirror.example"}, path.name)
