"""The rpm families: dnf or yum, NetworkManager, dracut."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from imagefactory.lib.errors import FactoryError
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.template import Arch, Repository, Template
from imagefactory.systems.families import causes, systemd
from imagefactory.systems.families.interface import Bootstrap, Change, Needs, Release, Source, Step, install_url
from imagefactory.systems.families.redhat import releases, sources
from imagefactory.systems.families.redhat.causes import CAUSES
from imagefactory.systems.families.redhat.keys import key_names
from imagefactory.systems.guests.interface import File

NO_ARCH = "(none)"
DRACUT = "/etc/dracut.conf.d/90-imagefactory.conf"
REBUILD = "dracut --force --no-hostonly --regenerate-all"

# The image's own .repo files may name mirrors that the build cannot or shall not reach: packages of the build come from
# the install tree and the template's repositories alone.
INSTALL = """\
tool=$(command -v dnf || command -v yum || command -v microdnf) || {{ echo "no dnf in this system"; exit 1; }}
"$tool" -y --disablerepo='*' {enabled} install -- {packages}
"""


ENABLE = "! command -v systemctl >/dev/null || systemctl --quiet enable NetworkManager.service"

# For systems without NetworkManager, and for it as well where it reads these files.
ETH0 = b"DEVICE=eth0\nBOOTPROTO=dhcp\nONBOOT=yes\nTYPE=Ethernet\n"

# The host's rpm wrote the database to /var/lib/rpm; newer systems have theirs below /usr (the old place is a link
# then). It is written anew by the system's own rpm: from the packages themselves where that cannot read it. Their
# signatures were checked when they were unpacked, before the system knew any key.
DATABASE = f"""\
set -e
command -v rpm >/dev/null || exit 0
if [ -d {sources.KEPT} ]; then
  rm -rf /var/lib/rpm
  mkdir -p /var/lib/rpm
  rpm --initdb
  rpm -i --justdb --force --nodeps --noscripts --notriggers --nosignature --nodigest --ignoresize {sources.KEPT}/*.rpm
  for key in {sources.KEPT}/*.key; do [ ! -f "$key" ] || rpm --import "$key"; done
  rm -rf {sources.KEPT}
  exit 0
fi
place=$(rpm -E '%{{_dbpath}}')
if [ "$place" != /var/lib/rpm ] && [ -d /var/lib/rpm ] && [ ! -L /var/lib/rpm ]; then
  mkdir -p "$place"
  mv /var/lib/rpm/* "$place"/
  rm -rf /var/lib/rpm  # rpm's lock is still in it
  ln -s "../..$place" /var/lib/rpm
fi
rpm --rebuilddb
"""


class RedHatFamily:
    """See `Family`."""

    name = "redhat"
    sources_file = f"{sources.DIRECTORY}/{sources.OWN}install.repo"

    def release(self, os: str, version: str) -> Release | None:
        return releases.release(os, version)

    def known(self) -> tuple[str, ...]:
        return releases.known()

    def arch(self, arch: Arch, release: Release) -> str:
        return releases.architecture(arch, release)

    def bootstrap(self, template: Template, release: Release, url: str) -> Bootstrap:
        releases.demand(release)
        return Bootstrap(
            tool="dnf",
            release=release,
            arch=self.arch(template.os.arch, release),
            sources=sources.sources(release, url),
            packages=releases.base_packages(release),
            verify=not _unsigned(template),
            keyrings=key_names(release.os, release.version),
            keyring_package="distribution-gpg-keys",
        )

    def published_sources(self, building: bytes, template: Template) -> bytes:
        return sources.published(building, install_url(template))

    def configure(self, template: Template) -> Change:
        files = (
            *systemd.identity(template.name),
            File("/etc/locale.conf", b"LANG=C.UTF-8\n"),
            File("/etc/sysconfig/network", b"NETWORKING=yes\n"),
            File("/etc/sysconfig/network-scripts/ifcfg-eth0", ETH0),
            File("/.autorelabel", b""),  # files written from outside have no SELinux label until the first boot
        )
        return Change(files=files, steps=(Step("package database", DATABASE), Step("enable the network", ENABLE)))

    def add_repositories(self, repositories: tuple[Repository, ...], release: Release) -> tuple[File, ...]:  # noqa: ARG002
        return tuple(sources.repository(one) for one in repositories)

    def repository_source(self, repository: Repository, bootstrap: Bootstrap) -> Source:
        return sources.repository_source(repository, bootstrap)

    def forget_repositories(self, repositories: tuple[Repository, ...]) -> tuple[str, ...]:
        return tuple(sources.repository_file(one) for one in repositories)

    def refresh(self, repositories: tuple[Repository, ...]) -> Step:  # noqa: ARG002
        """Dnf reads what is missing by itself when it installs."""
        return Step("read package lists", ":")

    def install(self, packages: tuple[str, ...], repositories: tuple[Repository, ...] = ()) -> Step:
        ids = (f"{sources.OWN}*", *(sources.repository_id(one) for one in repositories))
        enabled = " ".join(f"--enablerepo={shlex.quote(one)}" for one in ids)
        wanted = " ".join(shlex.quote(one) for one in packages)
        return Step("install packages", INSTALL.format(enabled=enabled, packages=wanted))

    def explain(self, lines: Sequence[str]) -> FactoryError | None:
        return causes.explain(CAUSES, lines)

    def list_packages(self) -> str:
        shown = "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\t%{EVR}\\t%{ARCH}\\n"
        return f"rpm -qa --queryformat '{shown}'"

    def parse_packages(self, output: str) -> tuple[PackageInfo, ...]:
        rows = (line.split("\t") for line in output.splitlines())
        return tuple(_package(*row) for row in rows if len(row) == 3)

    def fulfil(self, needs: Needs) -> Change:
        common = systemd.fulfil(needs)
        modules = " ".join(needs.initrd_modules)
        files = (
            *common.files,
            *((File(DRACUT, f'add_drivers+=" {modules} "\n'.encode()),) if modules else ()),
        )
        steps = (Step("rebuild the initrd", f"! command -v dracut >/dev/null || {REBUILD}"),) if modules else ()
        return Change(common.packages, files, steps)

    def kernel(self) -> str:
        newest = "ls -1 /boot/vmlinuz-* | grep -v rescue | sort -V | tail -n 1"
        return f'image=$({newest}) && echo "$image" && ls "/boot/initramfs-${{image#/boot/vmlinuz-}}.img"'

    def seal(self) -> tuple[str, ...]:
        return (
            "/var/cache/dnf/*",
            "/var/cache/libdnf5/*",
            "/var/cache/yum/*",
            "/var/lib/rpm/__db.*",
            "/root/anaconda-*",
        )


def _package(name: str, version: str, arch: str) -> PackageInfo:
    """A key that was imported is listed like a package, and has no architecture."""
    return PackageInfo(name.removesuffix(f".{NO_ARCH}"), version, "" if arch == NO_ARCH else arch)


def _unsigned(template: Template) -> bool:
    """Returns whether the template lists its own install tree as a repository, and says that it is not signed."""
    tree = install_url(template).rstrip("/")
    return any(one.url.strip().rstrip("/") == tree and one.signed is False for one in template.repositories)
