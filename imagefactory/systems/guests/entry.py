"""The shell text that enters a tree: mounts in a namespace of its own, then chroot.

It runs as the first process of new namespaces (mounts, pids, host name); when it ends, the kernel takes all mounts and
processes away, whatever they are and however it ended. Nothing of this is ever written into the tree.
"""

from __future__ import annotations

from pathlib import Path

POLICY = "/usr/sbin/policy-rc.d"
RESOLV = "/etc/resolv.conf"

# A first process ignores signals it has no trap for; with the trap its end ends all processes in the namespace.
# A trap is heard only while the shell waits for a job in the background, and such a job would lose standard input.
_LEAVE = "trap 'exit 143' TERM INT HUP\nexec 3<&0\n"

_SETUP = r"""set -e
tree=$1
(hostname localhost || echo localhost > /proc/sys/kernel/hostname) 2>/dev/null || true
mount -t proc -o nosuid,nodev,noexec proc "$tree/proc" 2>/dev/null || mount --rbind /proc "$tree/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$tree/sys" 2>/dev/null || mount --rbind /sys "$tree/sys"
mount -t tmpfs -o mode=0755,nosuid,size=1m tmpfs "$tree/dev"
for node in null zero full random urandom tty; do
    : > "$tree/dev/$node"
    mount --bind "/dev/$node" "$tree/dev/$node"
done
mkdir "$tree/dev/pts" "$tree/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$tree/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$tree/dev/shm"
ln -s pts/ptmx "$tree/dev/ptmx"
ln -s /proc/self/fd "$tree/dev/fd"
ln -s fd/0 "$tree/dev/stdin"
ln -s fd/1 "$tree/dev/stdout"
ln -s fd/2 "$tree/dev/stderr"
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$tree/run"
mkdir -m 1777 "$tree/run/lock"
mkdir -m 0700 "$tree/run/imagefactory"
own=$tree/run/imagefactory
if [ -f "$tree/usr/sbin/policy-rc.d" ] && [ ! -L "$tree/usr/sbin/policy-rc.d" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$own/policy-rc.d"
    chmod 0755 "$own/policy-rc.d"
    mount --bind "$own/policy-rc.d" "$tree/usr/sbin/policy-rc.d"
fi
if [ -r "$2" ]; then
    target=$(readlink "$tree/etc/resolv.conf" || true)
    case $target in
        ../run/*) resolv=$tree/${target#../} ;;
        /run/*) resolv=$tree$target ;;
        *) resolv=$own/resolv.conf ;;
    esac
    mkdir -p "${resolv%/*}"
    cat "$2" > "$resolv"
    chmod 0644 "$resolv"
    if [ -z "$target" ] && [ -f "$tree/etc/resolv.conf" ]; then
        mount --bind "$resolv" "$tree/etc/resolv.conf"
    fi
fi
read -r script
printf %s "$script" | base64 -d > "$own/script"
set +e
"""

# What a package's script must not do to the host: load modules, set its clock, reboot it, touch its hardware.
_CHROOT = "setpriv --bounding-set=-sys_module,-sys_time,-sys_boot,-sys_rawio -- chroot"

RUN = f"""{_LEAVE}{_SETUP}{_CHROOT} "$tree" /bin/sh /run/imagefactory/script <&3 3<&- &
wait $!
"""
"""`sh -c RUN sh TREE RESOLV_CONF`: standard input is the script in base64 on one line, then the script's own input."""

FILES = f"""{_LEAVE}tree=$1
shift
{_CHROOT} "$tree" /bin/sh -c "$@" <&3 3<&- &
wait $!
"""
"""`sh -c FILES sh TREE SCRIPT sh ARGUMENT...`: nothing mounted, so that what is touched is the tree itself."""

NEEDS = ("mount", "setpriv", "chroot", "base64")
"""What the texts call on this host."""

NAMESPACES = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--")


def running(tree: Path, resolv: Path) -> tuple[str, ...]:
    """Returns the command line that runs a script in the tree, with everything around it that a script expects."""
    return (*NAMESPACES, "sh", "-c", RUN, "sh", str(tree), str(resolv))


def touching(tree: Path, script: str, *arguments: str) -> tuple[str, ...]:
    """Returns the command line that works on the bare files of the tree."""
    return (*NAMESPACES, "sh", "-c", FILES, "sh", str(tree), script, "sh", *arguments)
