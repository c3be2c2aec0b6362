"""Debian and Ubuntu: names, suites, sources, package lists, causes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, InvalidInput, NoSpace, Unavailable, Unsupported
from imagefactory.model.template import Arch, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.systems.families.debian import FAMILY, sources
from imagefactory.systems.families.interface import Needs, Release

ROOT = "http://mirror.example/debian"
BOOKWORM = Release("debian", "Debian", "12", "bookworm")


def template(arch: Arch = Arch.X86_64, url: str = ROOT, repositories: tuple[Repository, ...] = ()) -> Template:
    """A Debian template with a name that is no host name."""
    return Template("My Server 12", OperatingSystem("Debian", "12", arch, UrlInstall(url)), repositories=repositories)


class ReleaseTests(SynchronousTestCase):
    """Which pairs of name and version mean what."""

    def test_number_and_code_name_mean_the_same(self) -> None:
        """Debian/12 and Debian/bookworm are one release."""
        self.assertEqual(FAMILY.release("Debian", "12"), BOOKWORM)
        self.assertEqual(FAMILY.release("Debian", "Bookworm"), BOOKWORM)

    def test_ubuntu_is_known(self) -> None:
        """Ubuntu versions have their own table."""
        self.assertEqual(FAMILY.release("Ubuntu", "24.04"), Release("debian", "Ubuntu", "24.04", "noble"))

    def test_an_unknown_pair_is_none(self) -> None:
        """Neither a foreign OS nor another's version is taken."""
        self.assertIsNone(FAMILY.release("Fedora", "42"))
        self.assertIsNone(FAMILY.release("Ubuntu", "bookworm"))

    def test_point_releases(self) -> None:
        """They are the release: a mirror has its newest point only."""
        for os, version, number in (
            ("Debian", "12.5", "12"),
            ("Debian", "8", "8"),
            ("Debian", "jessie", "8"),
            ("Debian", "unstable", "sid"),
            ("Ubuntu", "24.04.1", "24.04"),
            ("Ubuntu", "16.04.1", "16.04"),
            ("Ubuntu", "22.10", "22.10"),
            ("Ubuntu", "mantic", "23.10"),
        ):
            found = FAMILY.release(os, version)
            assert found is not None, (os, version)
            self.assertEqual(found.version, number)

    def test_suites_that_the_mirror_may_have(self) -> None:
        """A moving name, or one that is newer than we are, is the mirror's to know."""
        for os, name in (("Debian", "stable"), ("Debian", "testing"), ("Debian", "duke"), ("Ubuntu", "devel")):
            found = FAMILY.release(os, name)
            self.assertEqual(found, Release("debian", os, name, name))
            assert found is not None
            planned = FAMILY.bootstrap(template(), found, ROOT)
            self.assertEqual(planned.sources[0].index, f"{ROOT}/dists/{name}/InRelease")
            self.assertIn("systemd-resolved", planned.packages)
        for version in ("99", "../x", "a b", "12.x", "noble", ""):
            self.assertIsNone(FAMILY.release("Debian", version), version)

    def test_what_is_known_and_too_old(self) -> None:
        """The reason is said, not that it is unknown."""
        for os, version, first in (("Debian", "7.11", "Debian 8 "), ("Ubuntu", "14.04.6", "Ubuntu 15.04 ")):
            found = FAMILY.release(os, version)
            assert found is not None
            error = self.assertRaises(Unsupported, FAMILY.bootstrap, template(), found, ROOT)
            self.assertIn("known, but too old", error.message)
            self.assertIn(first, error.hint)

    def test_keys(self) -> None:
        """Old releases are signed with keys that Debian has taken out of its keyring."""
        for version, name in (("9", "debian-archive-removed-keys.gpg"), ("12", "debian-archive-keyring.gpg")):
            found = FAMILY.release("Debian", version)
            assert found is not None
            self.assertIn(f"/usr/share/keyrings/{name}", FAMILY.bootstrap(template(), found, ROOT).keyrings)

    @given(st.text(), st.text())
    def test_no_text_breaks_it(self, os: str, version: str) -> None:
        """Any pair is a release or None."""
        found = FAMILY.release(os, version)
        self.assertTrue(found is None or found.os == os)


class BootstrapTests(SynchronousTestCase):
    """What a bootstrap fetches."""

    def test_suites_of_a_release(self) -> None:
        """The release itself is demanded; updates and security are taken if the mirror has them."""
        found = FAMILY.bootstrap(template(), BOOKWORM, ROOT + "/").sources
        self.assertEqual(
            [(one.url, one.suite, one.optional) for one in found],
            [
                (ROOT, "bookworm", False),
                (ROOT, "bookworm-updates", True),
                (ROOT + "-security", "bookworm-security", True),
            ],
        )
        self.assertEqual(found[0].index, f"{ROOT}/dists/bookworm/InRelease")

    def test_an_installer_directory_means_its_mirror(self) -> None:
        """Old templates name the netboot directory below dists/."""
        old = ROOT + "/dists/bookworm/main/installer-amd64/current/images/netboot/"
        self.assertEqual(FAMILY.bootstrap(template(), BOOKWORM, old).sources[0].url, ROOT)

    def test_security_on_a_mirror_that_is_a_whole_host(self) -> None:
        """It is below; the host's name stays what it is, and the image gets the template's own place."""
        found = sources.sources(BOOKWORM, "http://mirror.example:8080")
        self.assertEqual(found[2].url, "http://mirror.example:8080/debian-security")
        building = sources.entries(found, "[signed-by=/k]").encode()
        text = sources.published(building, ROOT).decode()
        self.assertIn(f" {ROOT}-security bookworm-security main\n", text)
        self.assertIn(f" {ROOT} bookworm main\n", text)
        self.assertNotIn("8080", text)

    def test_old_security_suites_have_the_old_name(self) -> None:
        """Before Debian 11 the suite was called buster/updates."""
        for number, code, suite in (("10", "buster", "buster/updates"), ("11", "bullseye", "bullseye-security")):
            found = sources.sources(Release("debian", "Debian", number, code), ROOT)
            self.assertEqual(found[2].index, f"{ROOT}-security/dists/{suite}/InRelease")

    def test_kernels(self) -> None:
        """The cloud kernel where there is one, the general one elsewhere."""
        old = Release("debian", "Debian", "9", "stretch")
        self.assertIn("linux-image-cloud-amd64", FAMILY.bootstrap(template(), BOOKWORM, ROOT).packages)
        self.assertIn("linux-image-amd64", FAMILY.bootstrap(template(), old, ROOT).packages)
        self.assertIn("linux-image-686-pae", FAMILY.bootstrap(template(Arch.I386), BOOKWORM, ROOT).packages)

    def test_an_architecture_without_kernel_is_refused(self) -> None:
        """Debian 13 has no i386 kernel, Debian no big-endian POWER."""
        trixie = Release("debian", "Debian", "13", "trixie")
        self.assertRaises(Unsupported, FAMILY.bootstrap, template(Arch.I386), trixie, ROOT)
        self.assertRaises(Unsupported, FAMILY.bootstrap, template(Arch.PPC64), BOOKWORM, ROOT)

    def test_signatures_are_verified_unless_the_template_says_so(self) -> None:
        """Only [trusted=yes] on the very mirror turns the check off, TDL's default of signed=no does not."""
        backports = Repository("b", f"deb {ROOT} bookworm-backports main")
        trusted = Repository("b", f"deb [trusted=yes] {ROOT} bookworm main")
        for repository, expected in ((backports, True), (trusted, False)):
            found = FAMILY.bootstrap(template(repositories=(repository,)), BOOKWORM, ROOT)
            self.assertIs(found.verify, expected)


class SourcesTests(SynchronousTestCase):
    """The lists that apt reads."""

    def test_the_image_names_the_template_s_mirror(self) -> None:
        """Whatever mirror the build used, the sealed list has the template's URL, security beside it."""
        built = sources.entries(sources.sources(BOOKWORM, "http://near.example/d"), "[signed-by=/k]").encode()
        text = FAMILY.published_sources(built, template()).decode()
        self.assertNotIn("near.example", text)
        self.assertIn(f"deb [signed-by=/k] {ROOT}-security bookworm-security main\n", text)

    def test_the_index_of_a_repository(self) -> None:
        """A suite has it below dists/, a flat repository beside its packages, where it may be nothing but a list."""
        suite, flat, short = (
            FAMILY.repository_source(Repository("r", url), FAMILY.bootstrap(template(), BOOKWORM, ROOT))
            for url in (
                "deb [trusted=yes] http://r.example/d/ bookworm-backports main contrib",
                "deb http://r.example/flat ./$(ARCH)/",
                "http://r.example/d",
            )
        )
        self.assertEqual(suite.index, "http://r.example/d/dists/bookworm-backports/InRelease")
        self.assertEqual(suite.other_indexes, ("http://r.example/d/dists/bookworm-backports/Release",))
        self.assertEqual((suite.url, suite.components), ("http://r.example/d/", ("main", "contrib")))
        self.assertEqual(flat.index, "http://r.example/flat/amd64/InRelease")
        self.assertIn("http://r.example/flat/amd64/Packages", flat.other_indexes)
        self.assertEqual(short.index, "http://r.example/d/dists/bookworm/InRelease")

    def test_a_template_s_own_list_is_kept(self) -> None:
        """A list without the build's mark was written by the template."""
        self.assertEqual(FAMILY.published_sources(b"deb x y z\n", template()), b"deb x y z\n")

    def test_a_whole_entry_is_written_as_it_is(self) -> None:
        """TDL's url of a Debian repository is a line of sources.list."""
        (file,) = FAMILY.add_repositories((Repository("my repo!", f"deb {ROOT} bookworm-backports main"),), BOOKWORM)
        self.assertEqual(file.path, "/etc/apt/sources.list.d/my-repo.list")
        self.assertEqual(file.data, f"deb {ROOT} bookworm-backports main\n".encode())

    def test_a_bare_url_means_the_release(self) -> None:
        """A URL alone is a mirror with the release's suite."""
        (file,) = FAMILY.add_repositories((Repository("r", "http://m.example/r"),), BOOKWORM)
        self.assertEqual(file.data, b"deb http://m.example/r bookworm main\n")

    def test_nonsense_is_refused(self) -> None:
        """What apt could not read is an input error, and a second line cannot be smuggled in."""
        for url in (
            "ppa:someone/thing",
            "deb nonsense",
            "deb http://m.example/r x main\ndeb http://evil.example y main",
        ):
            self.assertRaises(InvalidInput, FAMILY.add_repositories, (Repository("r", url),), BOOKWORM)


class CommandTests(SynchronousTestCase):
    """Texts for the guest."""

    def test_package_names_are_quoted(self) -> None:
        """A name cannot become a command or an option."""
        script = FAMILY.install(("nginx", "a;reboot", "-o")).script
        self.assertIn("-- nginx 'a;reboot' -o", script)

    def test_only_added_repositories_are_read(self) -> None:
        """The base's lists are not fetched again."""
        script = FAMILY.refresh((Repository("r", "deb http://m.example/r x main"),)).script
        self.assertIn("Dir::Etc::sourcelist=/etc/apt/sources.list.d/r.list", script)
        self.assertIn("|| DEBIAN_FRONTEND", script)

    def test_installed_packages_are_listed(self) -> None:
        """Version and architecture are read, of held ones, too; what was removed or is half there is left out."""
        output = "bash\t5.2-2\tamd64\tii \ngone\t\tamd64\tun \nlibc6:amd64\t2.36\tamd64\thi \nhalf\t1\tamd64\tiU \n"
        self.assertEqual([one.name for one in FAMILY.parse_packages(output)], ["bash", "libc6:amd64"])
        self.assertEqual(FAMILY.parse_packages(output)[0].version, "5.2-2")

    @given(st.text())
    def test_no_listing_breaks_it(self, output: str) -> None:
        """Any text is a list of packages, maybe an empty one."""
        FAMILY.parse_packages(output)

    def test_host_name(self) -> None:
        """The template's name becomes a valid host name."""
        files = {one.path: one.data for one in FAMILY.configure(template()).files}
        self.assertEqual(files["/etc/hostname"], b"my-server-12\n")

    def test_needs_become_packages_and_files(self) -> None:
        """cloud-init, agent, modules and files of a target."""
        needs = Needs(cloud_init=("Ec2", "None"), guest_agent="qemu", initrd_modules=("nvme",), files=(("/x", b"y"),))
        change = FAMILY.fulfil(needs)
        self.assertEqual(change.packages, ("cloud-init", "qemu-guest-agent"))
        self.assertIn("/x", [one.path for one in change.files])
        (sources,) = [one for one in change.files if one.data == b"datasource_list: [ Ec2, None ]\n"]
        self.assertGreater(sources.path, "/etc/cloud/cloud.cfg.d/90_dpkg.cfg")
        self.assertEqual(len(change.steps), 1)
        self.assertEqual(FAMILY.fulfil(replace(needs, initrd_modules=())).steps, ())


class CauseTests(SynchronousTestCase):
    """What the tools' last words mean."""

    def test_causes(self) -> None:
        """Each known line becomes its own kind of error, with what to do."""
        for line, kind, word in (
            ("E: Unable to locate package nothere", BuildFailed, "nothere"),
            ("W: GPG error: x InRelease: ... NO_PUBKEY 0E98404D386FA1D9", BuildFailed, "0E98404D386FA1D9"),
            ("E: The repository 'http://m/d x InRelease' is not signed.", BuildFailed, "signature"),
            ("dpkg: error: ... No space left on device", NoSpace, "full"),
            ("E: Version '9.9' for 'bash' was not found", BuildFailed, "Version '9.9' for 'bash'"),
            ("E: Release 'x' for 'bash' was not found", BuildFailed, "Release 'x' for 'bash'"),
            ("  404  Not Found [IP: 1.2.3.4 80]", Unavailable, "404"),
            ("Err:1 Temporary failure resolving 'm.example'", Unavailable, "answer"),
        ):
            error = FAMILY.explain(["noise", line, "more noise"])
            self.assertIsInstance(error, kind, line)
            assert error is not None
            self.assertIn(word, error.message)
            self.assertTrue(error.hint)

    def test_what_apt_got_over(self) -> None:
        """A warning, or an index that was left out, is no cause of what failed later."""
        passing = ("Ign:3 http://m x/i18n 404  Not Found", "W: Failed to fetch http://m/x  404  Not Found")
        self.assertIsNone(FAMILY.explain(passing))
        error = FAMILY.explain((*passing, "E: Unable to locate package nothere"))
        assert error is not None
        self.assertIn("nothere", error.message)

    def test_the_unknown_stays_unknown(self) -> None:
        """No cause is invented."""
        self.assertIsNone(FAMILY.explain(["dpkg: warning: whatever"]))
