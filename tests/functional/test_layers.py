"""A busybox tree laid over another one, as root and as an ordinary user."""

from __future__ import annotations

from pathlib import Path
from unittest import SkipTest

from imagefactory.lib.errors import CommandFailed
from imagefactory.lib.process.interface import Command, Privilege
from imagefactory.lib.process.layers import can_lay, frozen, laid, lay, within
from imagefactory.lib.process.trees import remove_tree
from imagefactory.systems.guests.chroot import ChrootGuest
from imagefactory.testing.guests import GuestContract
from imagefactory.testing.threads import ImmediateThreads
from tests.functional import test_chroot
from tests.functional.ordinary import OrdinaryUser

CHANGE = """set -e
rm -rf usr
mkdir usr
echo new > etc/new
echo more >> bin/text
chown 33:33 bin/text
mv bin/text tmp/text"""

LOOK = "find . | sort && stat -c '%n %u %g %a %s' . bin/* etc/* tmp/*"


class LayersCase(test_chroot.ChrootCase):
    """`self.tree` is the lower one; the guest is in the one above."""

    async def setUp(self) -> None:
        await super().setUp()
        self.workspace = self.tree.parent / "workspace, of: one"
        self.addCleanup(self.workspace_goes)
        await self.as_root("mkdir", str(self.workspace))
        await self.as_root("sh", "-c", 'echo text > "$1/bin/text"; chmod 0751 "$1"', "sh", str(self.tree))
        self.above = self.workspace / "root"
        probe = self.tree.parent / "probe"
        await self.as_root("mkdir", str(probe))
        if not await can_lay(probe, self.processes, self.privilege):
            raise SkipTest("no tree can be laid over another here")
        await lay(self.tree, self.above, self.processes, self.privilege)
        self.within = within(self.above, self.privilege)
        self.guest = ChrootGuest(self.above, self.processes, self.within, resolv=self.resolv)

    async def as_root(self, *argv: str) -> None:
        await self.processes.check(Command(self.privilege.argv(*argv), "preparing"))

    async def workspace_goes(self) -> None:
        """Like any other."""
        self.assertNotIn(str(self.workspace.name), Path("/proc/self/mountinfo").read_text())
        await remove_tree(self.workspace, self.processes, self.privilege, ImmediateThreads())
        self.assertFalse(self.workspace.exists())

    async def output(self, privilege: Privilege, script: str, tree: Path) -> str:
        argv = privilege.argv("sh", "-c", f'cd "$1" && {script}', "sh", str(tree))
        return await self.processes.output(Command(argv, "looking", merge=False))


class ContractTests(LayersCase, GuestContract):
    """The contract of all guests."""


class ChangeTests(LayersCase):
    """What is changed, and what is not."""

    async def test_the_lower_tree_stays_as_it_is(self) -> None:
        """One command sees what the last one did; below, nothing has happened."""
        self.assertTrue(laid(self.above))
        look = "find . | sort && stat -c '%n %u %a %s' . bin/* && cat bin/text"
        before = await self.output(self.privilege, look, self.tree)
        self.assertEqual(await self.output(self.within, look, self.above), before)
        await self.output(self.within, CHANGE, self.above)
        seen = await self.output(self.within, "ls usr; cat etc/new tmp/text; stat -c %u tmp/text", self.above)
        self.assertEqual(seen, "new\ntext\nmore\n33\n")
        self.assertEqual(await self.output(self.privilege, look, self.tree), before)

    async def test_several_over_one(self) -> None:
        """They do not see each other's changes."""
        other = self.tree.parent / "other"
        await self.as_root("mkdir", str(other))
        await lay(self.tree, other / "root", self.processes, self.privilege)
        await self.output(self.within, CHANGE, self.above)
        seen = await self.output(within(other / "root", self.privilege), "cat bin/text", other / "root")
        self.assertEqual(seen, "text\n")
        await remove_tree(other, self.processes, self.privilege, ImmediateThreads())

    async def test_over_one_that_was_laid_itself(self) -> None:
        """The upper one has the changes of both, those between stay as they are, and can be read meanwhile."""
        await self.output(self.within, CHANGE, self.above)
        before = await self.output(frozen(self.above, self.privilege), LOOK, self.above)
        self.assertEqual(await self.output(self.within, LOOK, self.above), before)
        other = self.tree.parent / "other"
        await self.as_root("mkdir", str(other))
        await lay(self.above, other / "root", self.processes, self.privilege)
        top = within(other / "root", self.privilege)
        self.assertEqual(await self.output(top, LOOK, other / "root"), before)
        script = "mv etc/new etc/newer && mv etc settings && rm -r bin && cat settings/newer && ls usr"
        self.assertEqual(await self.output(top, script, other / "root"), "new\n")
        self.assertEqual(
            await self.output(top, "ls -d bin etc settings 2>/dev/null; true", other / "root"), "settings\n"
        )
        self.assertEqual(await self.output(frozen(self.above, self.privilege), LOOK, self.above), before)
        await remove_tree(other, self.processes, self.privilege, ImmediateThreads())

    async def test_where_it_cannot_be(self) -> None:
        """The probe says so: a tree cannot be changed above another that was laid itself."""
        await self.output(self.within, "mkdir inner", self.above)
        self.assertFalse(await can_lay(self.above / "inner", self.processes, self.within))

    async def test_what_fails_later(self) -> None:
        """It is an error with the tool's reason: that this host can overlay was proved before."""
        workspace = self.tree.parent / "taken"
        await self.as_root("mkdir", "-p", str(workspace / "root"))
        with self.assertRaises(CommandFailed) as caught:
            await lay(self.tree, workspace / "root", self.processes, self.privilege)
        self.assertIn("File exists", str(caught.exception))
        await remove_tree(workspace, self.processes, self.privilege, ImmediateThreads())


class UserTests(OrdinaryUser, ChangeTests):
    """An ordinary user with subordinate ids."""
