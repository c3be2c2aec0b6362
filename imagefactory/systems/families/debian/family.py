"""The family of Debian and Ubuntu: apt, dpkg, systemd-networkd, initramfs-tools."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from imagefactory.lib.errors import FactoryError
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.template import Arch, Repository, Template
from imagefactory.systems.families import causes, systemd
from imagefactory.systems.families.debian import releases, sources
from imagefactory.systems.families.debian.causes import CAUSES, PASSING
from imagefactory.systems.families.interface import Bootstrap, Change, Needs, Release, Source, Step, install_url
from imagefactory.systems.guests.interface import File

LISTS = "/var/lib/apt/lists"
INSTALLED = "i"  # the second letter of dpkg's state; the first is what is wanted of the package (a held one's is h)
KEYRINGS = {
    "Debian": ("debian-archive-keyring.gpg", "debian-archive-keyring"),
    "Ubuntu": ("ubuntu-archive-keyring.gpg", "ubuntu-keyring"),
}
REMOVED_KEYS = "debian-archive-removed-keys.gpg"
LAST_REMOVED = 9
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0"
ENABLE = "systemctl --quiet enable systemd-networkd.service systemd-resolved.service"


class DebianFamily:
    """See `Family`."""

    name = "debian"
    sources_file = "/etc/apt/sources.list"

    def release(self, os: str, version: str) -> Release | None:
        return releases.release(os, version)

    def known(self) -> tuple[str, ...]:
        return releases.known()

    def arch(self, arch: Arch, release: Release) -> str:
        return releases.architecture(arch, release)

    def bootstrap(self, template: Template, release: Release, url: str) -> Bootstrap:
        releases.demand(release)
        arch = self.arch(template.os.arch, release)
        keyring, package = _keyring(release)
        return Bootstrap(
            tool="mmdebstrap",
            release=release,
            arch=arch,
            sources=sources.sources(release, sources.mirror_root(url)),
            packages=releases.base_packages(release, arch),
            verify=not _trusted(template),
            keyrings=(keyring, f"/usr/share/keyrings/{keyring}"),
            keyring_package=package,
        )

    def published_sources(self, building: bytes, template: Template) -> bytes:
        return sources.published(building, sources.mirror_root(install_url(template)))

    def configure(self, template: Template) -> Change:
        files = (
            *systemd.identity(template.name),
            File("/etc/default/locale", b"LANG=C.UTF-8\n"),
            File("/etc/systemd/network/80-wired.network", systemd.NETWORK),
            File(f"/etc/systemd/system/{systemd.SSH_HOST_KEYS_UNIT}", systemd.SSH_HOST_KEYS),
        )
        enable = f"{ENABLE} {systemd.SSH_HOST_KEYS_UNIT}"
        return Change(files=files, steps=(Step("enable network and ssh host keys", enable),))

    def add_repositories(self, repositories: tuple[Repository, ...], release: Release) -> tuple[File, ...]:
        return tuple(sources.repository(one, release) for one in repositories)

    def repository_source(self, repository: Repository, bootstrap: Bootstrap) -> Source:
        return sources.repository_source(repository, bootstrap.release, bootstrap.arch)

    def forget_repositories(self, repositories: tuple[Repository, ...]) -> tuple[str, ...]:
        return tuple(sources.repository_file(one) for one in repositories)

    def refresh(self, repositories: tuple[Repository, ...]) -> Step:
        """The base's lists came with it, and its stage key holds their digest: only added ones have to be read."""
        strict = f"{APT} -o APT::Update::Error-Mode=any update"
        lines = [f"ls {LISTS}/*Release >/dev/null 2>&1 || {strict}"]
        for file in self.forget_repositories(repositories):
            only = f"-o Dir::Etc::sourcelist={file} -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"
            lines.append(f"{strict} {only}")
        return Step("read package lists", "set -e\n" + "\n".join(lines))

    def install(self, packages: tuple[str, ...], repositories: tuple[Repository, ...] = ()) -> Step:  # noqa: ARG002
        """Apt takes all sources that the image has."""
        keep = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
        wanted = " ".join(shlex.quote(one) for one in packages)
        return Step("install packages", _without_rsa(f"{APT} -y {keep} --no-install-recommends install -- {wanted}"))

    def explain(self, lines: Sequence[str]) -> FactoryError | None:
        return causes.explain(CAUSES, [line for line in lines if not PASSING.match(line)])

    def list_packages(self) -> str:
        """`binary:Package` is what `dpkg --get-selections` prints, which was the name in old ICICLEs."""
        shown = "${binary:Package}\\t${Version}\\t${Architecture}\\t${db:Status-Abbrev}\\n"
        return f"dpkg-query --show --showformat='{shown}'"

    def parse_packages(self, output: str) -> tuple[PackageInfo, ...]:
        rows = (line.split("\t") for line in output.splitlines())
        return tuple(PackageInfo(*row[:3]) for row in rows if len(row) == 4 and row[3][1:2] == INSTALLED)

    def fulfil(self, needs: Needs) -> Change:
        common = systemd.fulfil(needs)
        modules = "".join(f"{module}\n" for module in needs.initrd_modules)
        files = (
            *common.files,
            *((File(MODULES, modules.encode()),) if modules else ()),
        )
        steps = (Step("rebuild the initrd", ADD_MODULES),) if modules else ()
        return Change(common.packages, files, steps)

    def kernel(self) -> str:
        newest = "ls -1 /boot/vmlinu[xz]-* | sort -V | tail -n 1"
        return f'image=$({newest}) && echo "$image" && ls "/boot/initrd.img-${{image#/boot/vmlinu[xz]-}}"'

    def seal(self) -> tuple[str, ...]:
        return (
            f"{LISTS}/*",
            "/var/cache/apt/*.bin",
            "/var/cache/apt/archives/*.deb",
            "/var/cache/debconf/*-old",
            "/var/lib/dpkg/*-old",
            "/etc/apt/apt.conf.d/99mmdebstrap",
            "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
            "/vmlinuz.old",
            "/initrd.img.old",
        )


MODULES = "/usr/share/initramfs-tools/modules.d/imagefactory"

# The cloud kernel has some drivers built in; an initrd that has all modules already is left as it is, which saves
# the seconds that making it takes.
ADD_MODULES = f"""\
for initrd in /boot/initrd.img-*; do
  version=${{initrd#/boot/initrd.img-}}
  while read -r module; do
    modinfo -k "$version" -F filename "$module" 2>/dev/null | grep -q '^/' || continue
    lsinitramfs "$initrd" | grep -q "/$module\\.ko" && continue
    update-initramfs -u -k "$version"
    break
  done < {MODULES}
done
"""


def _without_rsa(install: str) -> str:
    """`install`, without the work of a second or two that an RSA host key is.

    openssh-server's script makes host keys, which the seal removes. It leaves a key alone that is there: an empty
    file, gone again before it is read. The other kinds cost nothing, and let `sshd -t` in a command succeed.
    """
    return f"""\
set -e
ssh=/etc/ssh new=
[ -d $ssh ] || {{ mkdir $ssh; new=yes; }}
key=$ssh/ssh_host_rsa_key
[ -e $key ] || : > $key
{install}
[ -s $key ] || rm -f $key
[ -z "$new" ] || rmdir --ignore-fail-on-non-empty $ssh
"""


def _keyring(release: Release) -> tuple[str, str]:
    """Returns the file with the keys that sign a release, and the package that has it."""
    keyring, package = KEYRINGS[release.os]
    removed = release.os == "Debian" and releases.generation(release) <= LAST_REMOVED
    return (REMOVED_KEYS if removed else keyring), package


def _trusted(template: Template) -> bool:
    """Returns whether the template says, in apt's own words, that its mirror is not signed."""
    root = sources.mirror_root(install_url(template))
    return any(
        "trusted=yes" in one.url.partition("]")[0] and root in [word.rstrip("/") for word in one.url.split()]
        for one in template.repositories
    )
