"""The rpm families: names, install trees, repositories, package lists, causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, InvalidInput, Unavailable, Unsupported
from imagefactory.model.template import Arch, OperatingSystem, Repository, Template, UrlInstall
from imagefactory.systems.families.interface import Release
from imagefactory.systems.families.redhat import FAMILY, sources

TREE = "http://mirror.example/almalinux/9/BaseOS/x86_64/os/"
ALMA = Release("redhat", "AlmaLinux", "9")


def template(repositories: tuple[Repository, ...] = (), arch: Arch = Arch.X86_64) -> Template:
    """A template for an EL clone."""
    return Template("alma", OperatingSystem("AlmaLinux", "9", arch, UrlInstall(TREE)), repositories=repositories)


class ReleaseTests(SynchronousTestCase):
    """Old and new spellings."""

    def test_spellings(self) -> None:
        """The major version stands in the name (with a minor beside it) or in the version."""
        for os, version, canonical, major in (
            ("RHEL-6", "3", "RHEL", "6"),
            ("CentOS-6", "U8", "CentOS", "6"),
            ("RHEL", "9", "RHEL", "9"),
            ("AlmaLinux", "9.5", "AlmaLinux", "9"),
            ("Fedora", "42", "Fedora", "42"),
            ("SL-6", "1", "ScientificLinux", "6"),
            ("RedHatEnterpriseLinux-7", "9", "RHEL", "7"),
            ("SLC-6", "4", "ScientificLinuxCern", "6"),
            ("CentOS", "9-stream", "CentOS", "9"),
            ("CentOSStream", "10", "CentOS", "10"),
            ("Fedora", "rawhide", "Fedora", "rawhide"),
        ):
            self.assertEqual(FAMILY.release(os, version), Release("redhat", canonical, major), os)

    def test_the_unknown_is_none(self) -> None:
        """Too old, foreign or senseless pairs are not taken."""
        for os, version in (
            ("RHEL-1", "1"),
            ("RHEL", "9-stream"),
            ("Debian", "12"),
            ("Fedora", "rawhide?"),
            ("AlmaLinux", "7"),
            ("RHEL", "U9"),
        ):
            self.assertIsNone(FAMILY.release(os, version), (os, version))

    def test_what_is_known_and_too_old(self) -> None:
        """The reason is said, not that it is unknown."""
        for os, version in (
            *(("RHEL-2.1", "U6"), ("RHEL-4", "U8"), ("RHEL-5", "9"), ("CentOS-5", "U8"), ("OL-5", "11")),
            *(("ScientificLinux-5", "6"), ("ScientificLinuxCern-5", "5"), ("FedoraCore", "6"), ("FC", "5")),
            *(("Fedora", "7"), ("Fedora", "16"), ("RHL", "9")),
        ):
            release = FAMILY.release(os, version)
            assert release is not None, os
            error = self.assertRaises(Unsupported, FAMILY.bootstrap, template(), release, TREE)
            self.assertIn("known, but too old", error.message)
            self.assertIn("Fedora 20 to", error.hint)

    def test_the_names_of_keys(self) -> None:
        """As distribution-gpg-keys has them, and as each distribution has its own."""
        for os, version, packaged, own in (
            ("Fedora", "42", "fedora/RPM-GPG-KEY-fedora-42-primary", "RPM-GPG-KEY-fedora-42-primary"),
            ("Fedora", "rawhide", "fedora/RPM-GPG-KEY-fedora-rawhide-primary", "RPM-GPG-KEY-fedora-rawhide-primary"),
            ("RHEL", "9", "redhat/RPM-GPG-KEY-redhat9-release", "RPM-GPG-KEY-redhat-release"),
            ("CentOS", "6", "centos/RPM-GPG-KEY-CentOS-6", "RPM-GPG-KEY-CentOS-6"),
            ("CentOS", "7", "centos/RPM-GPG-KEY-CentOS-7", "RPM-GPG-KEY-CentOS-7"),
            ("CentOS", "8", "centos/RPM-GPG-KEY-CentOS-Official", "RPM-GPG-KEY-centosofficial"),
            ("CentOS", "9", "centos/RPM-GPG-KEY-CentOS-Official", "RPM-GPG-KEY-centosofficial"),
            ("CentOS", "10", "centos/RPM-GPG-KEY-CentOS-Official-SHA256", "RPM-GPG-KEY-centosofficial-SHA256"),
            ("AlmaLinux", "8", "alma/RPM-GPG-KEY-AlmaLinux-8", "RPM-GPG-KEY-AlmaLinux"),
            ("AlmaLinux", "9", "alma/RPM-GPG-KEY-AlmaLinux-9", "RPM-GPG-KEY-AlmaLinux-9"),
            ("Rocky", "8", "rocky/RPM-GPG-KEY-rockyofficial", "RPM-GPG-KEY-rockyofficial"),
            ("Rocky", "9", "rocky/RPM-GPG-KEY-Rocky-9", "RPM-GPG-KEY-Rocky-9"),
            ("OracleLinux", "8", "oraclelinux/RPM-GPG-KEY-oracle-ol8", "RPM-GPG-KEY-oracle"),
            ("ScientificLinux", "7", "RPM-GPG-KEY-sl7", "RPM-GPG-KEY-sl"),
        ):
            names = FAMILY.bootstrap(template(), Release("redhat", os, version), TREE).keyrings
            self.assertLessEqual({packaged, own}, set(names), (os, version))

    @given(st.text(), st.text())
    def test_no_text_breaks_it(self, os: str, version: str) -> None:
        """Any pair is a release or None."""
        FAMILY.release(os, version)

    def test_base_packages(self) -> None:
        """EL 6 has neither systemd nor NetworkManager, EL 7 one kernel package and yum, the rest dnf."""
        for version, inside, outside in (
            ("6", "initscripts", "systemd"),
            ("7", "yum", "dnf"),
            ("9", "kernel-core", "yum"),
        ):
            release = Release("redhat", "RHEL", version)
            packages = FAMILY.bootstrap(template(), release, TREE).packages
            self.assertIn(inside, packages)
            self.assertNotIn(outside, packages)

    def test_an_architecture_that_never_was_is_refused(self) -> None:
        """There is no EL 9 for i386."""
        self.assertRaises(Unsupported, FAMILY.bootstrap, template(arch=Arch.I386), ALMA, TREE)


class SourcesTests(SynchronousTestCase):
    """Install trees and .repo files."""

    def test_trees_that_belong_together(self) -> None:
        """AppStream belongs to BaseOS, updates to a Fedora release and to an old EL."""
        for release, url, expected in (
            (ALMA, TREE, "http://mirror.example/almalinux/9/AppStream/x86_64/os"),
            (
                Release("redhat", "Fedora", "42"),
                "http://m.example/fedora/linux/releases/42/Everything/x86_64/os",
                "http://m.example/fedora/linux/updates/42/Everything/x86_64",
            ),
            (
                Release("redhat", "RHEL", "9"),
                "http://m.example/rhel9/x86_64/baseos/os",
                "http://m.example/rhel9/x86_64/appstream/os",
            ),
            (
                Release("redhat", "OracleLinux", "9"),
                "http://m.example/OL9/baseos/latest/x86_64",
                "http://m.example/OL9/appstream/x86_64",
            ),
            (Release("redhat", "Rocky", "9"), "http://m.example/dvd/BaseOS", "http://m.example/dvd/AppStream"),
            (Release("redhat", "CentOS", "7"), "http://m.example/7/os/x86_64/", "http://m.example/7/updates/x86_64"),
        ):
            base, more = sources.sources(release, url)
            self.assertEqual((base.url, more.url, more.optional), (url.rstrip("/"), expected, True))
            self.assertEqual(base.index, url.rstrip("/") + "/repodata/repomd.xml")

    def test_the_image_names_the_template_s_tree(self) -> None:
        """Every tree of the build's mirror is renamed, also the one beside the install tree."""
        near = TREE.replace("http://mirror.example", "http://near.example/mirrors")
        built = sources.building(sources.sources(ALMA, near), verify=True).encode()
        text = FAMILY.published_sources(built, template()).decode()
        self.assertNotIn("near.example", text)
        self.assertIn("baseurl=http://mirror.example/almalinux/9/AppStream/x86_64/os\n", text)
        self.assertEqual(FAMILY.published_sources(b"[own]\n", template()), b"[own]\n")

    def test_a_repository_says_what_the_template_says(self) -> None:
        """`signed` and `sslverify` become dnf's options."""
        (file,) = FAMILY.add_repositories((Repository("my repo", "http://r.example/x", signed=True),), ALMA)
        self.assertEqual(file.path, "/etc/yum.repos.d/my-repo.repo")
        self.assertIn(b"baseurl=http://r.example/x\nenabled=1\ngpgcheck=1\nsslverify=0\n", file.data)

    def test_silence_about_signatures(self) -> None:
        """They are verified; only a clear no switches that off."""
        for signed, expected in ((None, b"gpgcheck=1"), (True, b"gpgcheck=1"), (False, b"gpgcheck=0")):
            (file,) = FAMILY.add_repositories((Repository("r", "http://r.example/x", signed=signed),), ALMA)
            self.assertIn(expected, file.data)

    def test_names_that_are_taken(self) -> None:
        """Neither dnf's own section nor the base's file can be overwritten by a repository; `install` is free."""
        for name in ("main", "imagefactory-install", "imagefactory base"):
            self.assertRaises(InvalidInput, FAMILY.add_repositories, (Repository(name, "http://r.example/x"),), ALMA)
        (file,) = FAMILY.add_repositories((Repository("install", "http://r.example/x"),), ALMA)
        self.assertNotEqual(file.path, FAMILY.sources_file)

    def test_the_index_of_a_repository(self) -> None:
        """Dnf's variables mean what they mean in the system."""
        wanted = Repository("r", "http://r.example/$releasever/${basearch}/os/")
        found = FAMILY.repository_source(wanted, FAMILY.bootstrap(template(), ALMA, TREE))
        self.assertEqual(found.index, "http://r.example/9/x86_64/os/repodata/repomd.xml")
        self.assertEqual(found.url, wanted.url)

    def test_a_second_option_cannot_be_smuggled_in(self) -> None:
        """A URL is one word."""
        bad = Repository("r", "http://r.example/x\nproxy=http://evil.example")
        self.assertRaises(InvalidInput, FAMILY.add_repositories, (bad,), ALMA)

    def test_an_unsigned_tree_has_to_be_called_so(self) -> None:
        """Signatures count unless the tree itself is listed, and is said not to be signed: silence says nothing."""
        for repositories, expected in (
            ((), True),
            ((Repository("x", "http://other.example/"),), True),
            ((Repository("x", TREE, signed=True),), True),
            ((Repository("x", TREE),), True),
            ((Repository("x", TREE, signed=False),), False),
        ):
            self.assertIs(FAMILY.bootstrap(template(repositories), ALMA, TREE).verify, expected)


class CommandTests(SynchronousTestCase):
    """Texts for the guest."""

    def test_packages_come_from_the_build_s_sources(self) -> None:
        """The image's own repository files are not asked."""
        script = FAMILY.install(("nginx", "a;b"), (Repository("extra", "http://r.example/"),)).script
        self.assertIn(
            "--disablerepo='*' --enablerepo='imagefactory-*' --enablerepo=extra install -- nginx 'a;b'", script
        )

    def test_an_old_rpm_gets_a_database_of_its_own(self) -> None:
        """Releases before rpm 4.16 cannot read sqlite; their database is made of the packages that were kept."""
        for os, version, expected in (("RHEL", "8", False), ("RHEL", "9", True), ("Fedora", "32", False)):
            self.assertIs(sources.reads_database(Release("redhat", os, version)), expected)
        script = FAMILY.configure(template()).steps[0].script
        self.assertLess(script.index("rpm --initdb"), script.index("rpm -i --justdb"))
        self.assertIn(f"{sources.KEPT}/*.rpm", script)
        self.assertIn("place=$(rpm -E '%{_dbpath}')", script)

    def test_installed_packages_are_listed(self) -> None:
        """The name is the line of `rpm -qa`."""
        listed = "bash-5.1-1.el9.x86_64\t5.1-1.el9\tx86_64\nnoise\ngpg-pubkey-1-2.(none)\t1-2\t(none)\n"
        found, key = FAMILY.parse_packages(listed)
        self.assertEqual((found.name, found.version, found.arch), ("bash-5.1-1.el9.x86_64", "5.1-1.el9", "x86_64"))
        self.assertEqual((key.name, key.version, key.arch), ("gpg-pubkey-1-2", "1-2", ""))


class CauseTests(SynchronousTestCase):
    """What dnf's last words mean."""

    def test_causes(self) -> None:
        """Each known line becomes its own kind of error."""
        for line, kind, word in (
            ("No match for argument: nothere", BuildFailed, "nothere"),
            ("Package base-1-1.noarch.rpm is not signed", BuildFailed, "base-1-1.noarch.rpm"),
            ("Error: GPG check FAILED", BuildFailed, "signature"),
            ("error: tiny.rpm: Header V4 RSA/SHA256 Signature, key ID 1f2e3d4c: BAD", BuildFailed, "signature"),
            ("  Header SHA256 digest: BAD (Expected 1 != 2)", BuildFailed, "signature"),
            ("Status code: 404 for http://m.example/repodata/repomd.xml (IP: 1.2.3.4)", Unavailable, "404"),
        ):
            error = FAMILY.explain([line])
            self.assertIsInstance(error, kind, line)
            assert error is not None
            self.assertIn(word, error.message)
            self.assertNotIn("None", error.message)

    def test_the_unknown_stays_unknown(self) -> None:
        """A word in capitals is no signature."""
        self.assertIsNone(FAMILY.explain(["BAD luck", "Installing: BADGER-1.noarch", "password: BAD"]))
