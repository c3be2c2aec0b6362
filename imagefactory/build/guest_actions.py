"""What the stages do inside a system of any kind, through a guest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from imagefactory.build.actions import BuildContext
from imagefactory.model.icicle import PackageInfo, render_icicle
from imagefactory.model.report import Report
from imagefactory.systems.guests.interface import Guest
from imagefactory.systems.stages.customise import customise as make_changes
from imagefactory.systems.stages.sealing import fulfil_needs, seal


class DiskMaker(Protocol):
    """Makes the image file of a system: one makes a disk of a tree, another takes the disk that is there."""

    async def prepare(self, guest: Guest) -> None:
        """Change in the system what it needs to boot from that disk; nothing for one that was installed on it."""

    async def write(self, image: Path, report: Report) -> None:
        """Make the file `image` (not yet there) of the sealed system, in which nothing runs any more."""


async def customise(guest: Guest, context: BuildContext, report: Report, *, timeout: float) -> bytes:
    """Enter the system and do to it what the template says.

    Args:
        guest: not entered yet.
        timeout: seconds for one step.

    Returns the ICICLE.
    """
    plan = context.plan
    template = replace(context.template, repositories=plan.repositories)
    async with guest as entered:
        packages = await make_changes(entered, plan.family, plan.release, template, report, timeout=timeout)
    return _icicle(context, packages)


async def adapt(
    guest: Guest, context: BuildContext, disk: DiskMaker, image: Path, report: Report, *, timeout: float
) -> bytes:
    """Make the target's image file of a system: what the target needs inside, the seal, the disk.

    The seal comes last in the guest: keys and ids by which a running one is reached are gone then.

    Args:
        guest: not entered yet.
        timeout: seconds for one step.

    Returns the ICICLE of the image.
    """
    plan, template = context.plan, context.template
    needs = context.target.needs(template)
    async with guest as entered:
        packages = await fulfil_needs(entered, plan.family, needs, template, report, timeout=timeout)
        await disk.prepare(entered)
        await seal(entered, plan.family, template, report, repositories=plan.repositories, timeout=timeout)
    await disk.write(image, report)
    return _icicle(context, packages)


def _icicle(context: BuildContext, packages: tuple[PackageInfo, ...]) -> bytes:
    return render_icicle(context.template.description, packages)
