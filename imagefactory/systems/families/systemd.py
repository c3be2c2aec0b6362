"""What all systems with systemd have in common: what `configure` and `fulfil` of a family are made of."""

from __future__ import annotations

import re

from imagefactory.systems.families.interface import Change, Needs
from imagefactory.systems.guests.interface import File

HOSTNAME_LIMIT = 63  # one label, RFC 1035 section 2.3.4

NETWORK = b"""# The first wired interfaces, whatever their names, by DHCP. More specific files (a lower number) win.
[Match]
Name=en* eth*
Type=ether

[Network]
DHCP=yes
"""

SSH_HOST_KEYS = b"""[Unit]
Description=Make this machine's ssh host keys
ConditionFileIsExecutable=/usr/bin/ssh-keygen
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service sshd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=ssh.service sshd.service
"""

SSH_HOST_KEYS_UNIT = "ssh-host-keys.service"
AGENTS = {"qemu": "qemu-guest-agent", "vmware": "open-vm-tools"}


def hostname(name: str) -> str:
    """Returns a valid host name made from a template's name ("My server 12" is "my-server-12")."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return label[:HOSTNAME_LIMIT].rstrip("-") or "localhost"


def identity(name: str) -> tuple[File, ...]:
    """Returns the files with the host's own name."""
    host = hostname(name)
    hosts = f"127.0.0.1 localhost\n127.0.1.1 {host}\n::1 localhost ip6-localhost ip6-loopback\n"
    return File("/etc/hostname", f"{host}\n".encode()), File("/etc/hosts", hosts.encode())


def fulfil(needs: Needs) -> Change:
    """What a target's needs mean everywhere: cloud-init and the guest agent have the same names in all families."""
    agent = (AGENTS[needs.guest_agent],) if needs.guest_agent else ()
    tools = ("cloud-init",) if needs.cloud_init else ()
    given = tuple(File(path, data) for path, data in needs.files)
    return Change((*tools, *agent), (*_cloud_init(needs.cloud_init), *given))


def _cloud_init(sources: tuple[str, ...]) -> tuple[File, ...]:
    """Returns the data sources that cloud-init asks, in order; nothing for a target without cloud-init."""
    if not sources:
        return ()
    listed = ", ".join(sources)
    # The last file wins, and packages bring files that begin with 90.
    return (File("/etc/cloud/cloud.cfg.d/99_datasource.cfg", f"datasource_list: [ {listed} ]\n".encode()),)
