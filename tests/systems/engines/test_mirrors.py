"""Which mirror a template's URL means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import CommandFailed, FactoryError, MissingTool, Unavailable
from imagefactory.lib.process.interface import Command
from imagefactory.settings.mirrors import APT
from imagefactory.systems.engines.bootstrap.mirrors import TrustedServers, host_mirror, mapped, named_mirror, server
from imagefactory.systems.families.interface import Release
from imagefactory.testing.processes import ScriptedProcesses

BOOKWORM = Release("debian", "Debian", "12", "bookworm")
TRIXIE = Release("debian", "Debian", "13", "trixie")
NOBLE = Release("debian", "Ubuntu", "24.04", "noble")

ROOT = "http://m.example/debian"
TARGETS = """\
http://third.example/apt\tnodistro\tThird Party
http://near.example/debian-security\tbookworm-security\tDebian
http://near.example/debian\tbookworm\tDebian
"""


URIS = """\
'http://third.example/apt/dists/nodistro/InRelease' third.example_apt_dists_nodistro_InRelease 0 
'http://near.example/debian-security/dists/bookworm-security/InRelease' near.example_debian-security_InRelease 0 
'file:/srv/debian/dists/bookworm/InRelease' _srv_debian_dists_bookworm_InRelease 0 
'http://near.example/debian//dists/bookworm/InRelease' near.example_debian_dists_bookworm_InRelease 0 
'http://near.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' near.example_debian_Packages 0 
"""  # noqa: W291 - as apt prints it


class MappedTests(SynchronousTestCase):
    """Prefixes."""

    def test_the_longest_prefix_wins(self) -> None:
        """Whole path segments only; the rest of the URL is kept."""
        mirrors = {"http://m.example": "http://a.example/x/", "http://m.example/debian/": "http://b.example/d"}
        for url, expected in (
            ("http://m.example/debian/dists/sid", "http://b.example/d/dists/sid"),
            ("http://m.example/debian", "http://b.example/d"),
            ("http://m.example/debian-ports", "http://a.example/x/debian-ports"),
            ("http://m.example.org/debian", "http://m.example.org/debian"),
        ):
            self.assertEqual(mapped(url, mirrors), expected)

    def test_spellings(self) -> None:
        """The host in any case, with or without the scheme's own port, is the same host."""
        mirrors = {"HTTP://M.Example:80/debian": "http://a.example/d"}
        for url in ("http://m.example/debian/x", "http://M.EXAMPLE:80/debian/x"):
            self.assertEqual(mapped(url, mirrors), "http://a.example/d/x")
        for url in ("http://m.example:8080/debian/x", "http://m.example/Debian/x", "https://m.example:80/debian"):
            self.assertEqual(mapped(url, mirrors), url)

    def test_the_host_s_own(self) -> None:
        """`apt:` stands alone: the host's mirror has its own root."""
        self.assertEqual(mapped("http://m.example/debian/dists/x", {"http://m.example/debian": "apt:"}), "apt:")

    @given(st.text())
    def test_without_a_mapping_nothing_changes(self, url: str) -> None:
        """Any URL stays as it is."""
        self.assertEqual(mapped(url, {}), url)


class NamedMirrorTests(SynchronousTestCase):
    """The output of `apt-get update --print-uris`."""

    def test_the_same_suite(self) -> None:
        """The first source of that very release which others could read, too."""
        self.assertEqual(named_mirror(URIS, BOOKWORM), "http://near.example/debian")

    def test_none(self) -> None:
        """Another release or another system is nothing that these lines can tell."""
        for release in (TRIXIE, NOBLE):
            self.assertIsNone(named_mirror(URIS, release))


class HostMirrorTests(SynchronousTestCase):
    """The output of `apt-get indextargets`."""

    def test_the_same_suite(self) -> None:
        """The source of that very release."""
        self.assertEqual(host_mirror(TARGETS, BOOKWORM, ROOT), "http://near.example/debian")

    def test_another_release_of_the_same_os(self) -> None:
        """A mirror has all releases; security and third parties are no mirror."""
        self.assertEqual(host_mirror(TARGETS, TRIXIE, ROOT), "http://near.example/debian")

    def test_none(self) -> None:
        """No mirror of Ubuntu on a Debian host: say so, with what to do."""
        error = self.assertRaises(Unavailable, host_mirror, TARGETS, NOBLE, "http://m.example/ubuntu")
        self.assertIn("Ubuntu", str(error))
        self.assertIn("apt-get update", error.hint)
        self.assertIn('"mirrors": {"http://m.example/ubuntu": ', error.hint)

    def test_what_the_network_does_not_have(self) -> None:
        """A disc or directory of this host is no mirror: other hosts could not read it."""
        targets = TARGETS.replace("http://near.example/debian\t", "file:/srv/debian\t")
        self.assertRaises(Unavailable, host_mirror, targets, BOOKWORM, ROOT)


class TrustedServersTests(SynchronousTestCase):
    """Which servers of private networks a daemon reads packages from."""

    def setUp(self) -> None:
        self.processes = ScriptedProcesses.of(self)
        named = {"http://m.example/debian": "http://Inside.example:3142/debian", "http://n.example": APT}
        self.servers = TrustedServers(named, self.processes)

    def trusts(self, host: str, port: int) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(self.servers.trusts(host, port)))

    def test_the_setting(self) -> None:
        """A server that the setting `mirrors` names is trusted without asking apt."""
        self.assertTrue(self.trusts("inside.example", 3142))

    def test_the_sources_of_apt(self) -> None:
        """Host and port count, not the host alone; apt is asked anew, because its sources may change."""
        uris = URIS + "'https://[fd00::1]:8443/debian/dists/x/InRelease' fd00 0 \n"
        for host, port, expected in (
            ("near.example", 80, True),
            ("NEAR.example", 80, True),
            ("near.example", 8080, False),
            ("fd00::1", 8443, True),
            ("inside.example", 80, False),
        ):
            self.processes.expect("apt-get update --print-uris", lines=uris.splitlines())
            self.assertEqual(self.trusts(host, port), expected, host)

    def test_a_host_without_apt(self) -> None:
        """Then only the setting counts."""
        for failure in (
            MissingTool("apt-get is not installed"),
            CommandFailed("apt-get", "ended with exit status 100"),
        ):

            def fail(_: Command, failure: FactoryError = failure) -> None:
                raise failure

            self.processes.expect("apt-get", effect=fail)
            self.assertFalse(self.trusts("near.example", 80))

    @given(st.text(alphabet="htps:/[]@.%0a1 \n", max_size=30))
    def test_any_text(self, text: str) -> None:
        """Is a server, or is none."""
        found = server(text)
        self.assertTrue(found is None or (found[0] and 0 < found[1] < 65_536))
