"""A tree laid over another: what is changed goes into the upper one, the lower one stays as it is (overlayfs).

A file with several names (hard links) that is changed in place is changed under that one name only. In a user namespace
a directory of the lower tree cannot be renamed (EXDEV): mv(1) copies it.
"""

from __future__ import annotations

from pathlib import Path

from imagefactory.lib.process.interface import Command, Privilege, Processes

LOWER, UPPER, WORK = "below", "upper", "work"
"""What is in a workspace beside the place of the whole tree.

The first is a link to the lower tree; if that one was laid over others, `below2` and so on are links to those.
"""

_VOLATILE = f"{WORK}/work/incompat"
"""What a volatile mount leaves, and refuses to find: it would tell of a power cut."""

_CHANGE = f",upperdir={UPPER},workdir={WORK}"

ENTER = f"""\
set -e
cd "$1"
[ ! -e {_VOLATILE} ] || rm -r {_VOLATILE}
lower=
for link in {LOWER}*; do lower="$lower:$link"; done
options="lowerdir=$4${{lower#:}}$2"
mount -t overlay -o "$options,volatile" overlay "$3" 2>/dev/null || mount -t overlay -o "$options" overlay "$3"
cd "$OLDPWD"
shift 5
exec "$@"
"""
"""Runs what follows `--` where the whole tree is mounted.

The parts have names without a path: overlayfs gives `:` and `,` in its options meanings of their own. The mount is
volatile where the kernel can do that (since 5.10): else the end of each command waits until all that the host has
written is on its disks, which costs 0.1 seconds for 100 MiB. What a power cut leaves of a workspace is never used.
"""

# A kernel, a container or a file system may refuse the mount, or what comes after it.
_PROBE = f"""\
set -e
cd "$1"
mkdir -p try/{LOWER}/gone try/{UPPER} try/{WORK} try/root
: > try/{LOWER}/file
cd try
mount -t overlay -o "lowerdir={LOWER}$2" overlay root
rm root/file
rmdir root/gone
mkdir root/gone
chown 1:1 root/gone
umount root"""

# The root directory of the whole is the upper one.
_LAY = f"""\
set -e
cd "$1"
mkdir "$2" {UPPER} {WORK}
number=
link() {{
    ln -s "$1" "{LOWER}$number"
    number=$((${{number:-1}} + 1))
}}
beside=${{3%/*}}
if [ -L "$beside/{LOWER}" ]; then
    link "$beside/{UPPER}"
    for lower in "$beside/{LOWER}"*; do link "$(readlink "$lower")"; done
else
    link "$3"
fi
chown --reference={LOWER}/. {UPPER}
chmod --reference={LOWER}/. {UPPER}
touch --reference={LOWER}/. {UPPER}"""

_MOUNTS = ("unshare", "--mount", "--")


async def can_lay(workspace: Path, processes: Processes, privilege: Privilege) -> bool:
    """Whether this host can lay trees over each other, tried with two files in an empty workspace."""
    options = f"{_CHANGE}{_options(privilege)}"
    argv = privilege.argv(*_MOUNTS, "sh", "-c", _PROBE, "sh", str(workspace), options)
    return (await processes.run(Command(argv, "trying overlayfs"))).ok


async def lay(lower: Path, tree: Path, processes: Processes, privilege: Privilege) -> None:
    """Let `tree`, a new directory in an empty workspace, be all that is in `lower`, wherever `within` is asked.

    `lower`, which may have been laid over another tree itself, must not be changed any more. Raises CommandFailed.
    """
    workspace = tree.parent
    title = f"laying {workspace.name} over {lower.parent.name}"
    argv = privilege.argv("sh", "-c", _LAY, "sh", str(workspace), tree.name, str(lower.absolute()))
    await processes.check(Command(argv, title))


def within(tree: Path, privilege: Privilege) -> Privilege:
    """How to work on a tree that was laid over another, with one command at a time.

    Every command has the whole tree in a namespace of its own; what two of them saw of each other would be undefined.
    """
    return _mounted(tree, f"{_CHANGE}{_options(privilege)}", "", privilege)


def frozen(tree: Path, privilege: Privilege) -> Privilege:
    """How to read a tree that was laid over another and is not changed any more; any number of commands may at once."""
    return _mounted(tree, _options(privilege), f"{UPPER}:", privilege)


def _mounted(tree: Path, options: str, top: str, privilege: Privilege) -> Privilege:
    arguments = (str(tree.parent), options, tree.name, top)
    return Privilege(privilege.argv(*_MOUNTS, "sh", "-c", ENTER, "sh", *arguments, "--"))


def laid(tree: Path) -> bool:
    """Whether `tree` was laid over another (looks at the disk)."""
    return (tree.parent / LOWER).is_symlink()


def _options(privilege: Privilege) -> str:
    """Returns the options of every mount, whatever the kernel's defaults.

    An index is for file handles, and keeps a tree from being mounted again. In a user namespace overlayfs may keep its
    notes only in attributes that cannot tell of renamed directories.
    """
    return ",index=off,userxattr" if privilege.prefix else ",index=off,redirect_dir=on"
