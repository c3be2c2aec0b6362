"""A tree laid over another: what is changed goes into the upper one, the lower one stays as it is (overlayfs).

A file with several names (hard links) that is changed in place is changed under that one name only.
"""

from __future__ import annotations

from pathlib import Path

from imagefactory.lib.process.interface import Command, Privilege, Processes

LOWER, UPPER, WORK = "below", "upper", "work"
"""What is in a room beside the place of the whole tree; the first is a link to the lower tree."""

# Without an index, whatever the kernel's default: it is for file handles, and keeps a tree from being mounted again.
_PARTS = f"lowerdir={LOWER},upperdir={UPPER},workdir={WORK},index=off"

ENTER = '(cd "$1" && mount -t overlay -o "$2" overlay "$3") && shift 4 && exec "$@"'
"""Runs what follows `--` where the whole tree is mounted.

The parts have names without a path: overlayfs gives `:` and `,` in its options meanings of their own.
"""

# First the same with two files: a kernel, a container or a file system may refuse it, or what comes after it. The root
# directory of the whole is the upper one.
_LAY = f"""\
set -e
cd "$1"
mkdir -p try/{LOWER}/gone try/{UPPER} try/{WORK} try/root
: > try/{LOWER}/file
cd try
mount -t overlay -o "$2" overlay root
rm root/file
rmdir root/gone
mkdir root/gone
chown 1:1 root/gone
umount root
cd ..
rm -rf try
mkdir "$3" {UPPER} {WORK}
ln -s "$4" {LOWER}
chown --reference={LOWER}/. {UPPER}
chmod --reference={LOWER}/. {UPPER}
touch --reference={LOWER}/. {UPPER}"""

_MOUNTS = ("unshare", "--mount", "--")


async def lay(lower: Path, tree: Path, processes: Processes, privilege: Privilege) -> bool:
    """Let `tree`, a new directory in an empty one, be all that is in `lower`, wherever `within` is asked.

    False, with nothing left of it, if this host cannot; `lower` must not be changed any more.
    """
    room = tree.parent
    arguments = (str(room), _options(privilege), tree.name, str(lower.absolute()))
    title = f"laying {room.name} over {lower.parent.name}"
    argv = privilege.argv(*_MOUNTS, "sh", "-c", _LAY, "sh", *arguments)
    if (await processes.run(Command(argv, title))).ok:
        return True
    clear = privilege.argv("rm", "-rf", "--one-file-system", "--", str(room / "try"))
    await processes.check(Command(clear, "clearing away"))
    return False


def within(tree: Path, privilege: Privilege) -> Privilege:
    """How to work on a tree that was laid over another, with one command at a time.

    Every command has the whole tree in a namespace of its own; what two of them saw of each other would be undefined.
    """
    arguments = (str(tree.parent), _options(privilege), tree.name)
    return Privilege(privilege.argv(*_MOUNTS, "sh", "-c", ENTER, "sh", *arguments, "--"))


def laid(tree: Path) -> bool:
    """Whether `tree` was laid over another (looks at the disk)."""
    return (tree.parent / LOWER).is_symlink()


def _options(privilege: Privilege) -> str:
    """In a user namespace overlayfs may keep its notes in no other attributes."""
    return f"{_PARTS},userxattr" if privilege.prefix else _PARTS
