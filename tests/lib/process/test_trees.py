"""Trees: removed only when nothing is mounted in them."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Conflict
from imagefactory.lib.process import trees
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.trees import mounts_below, remove_tree
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

MOUNTINFO = r"""22 1 8:1 / / rw - ext4 /dev/root rw
23 22 0:5 / /srv/work/root/dev rw shared:2 - devtmpfs udev rw
24 22 0:6 / /srv/work/with\040blank/proc rw - proc proc rw
25 22 0:7 / /srv/workshop rw - tmpfs tmpfs rw
damaged line
"""


class MountTests(SynchronousTestCase):
    """Reading mountinfo."""

    def test_below_and_at(self) -> None:
        """Siblings with a common beginning of their name do not count; escapes are decoded."""
        self.assertEqual(
            mounts_below(Path("/srv/work"), MOUNTINFO), ["/srv/work/root/dev", "/srv/work/with blank/proc"]
        )
        self.assertEqual(mounts_below(Path("/srv/workshop"), MOUNTINFO), ["/srv/workshop"])
        self.assertEqual(mounts_below(Path("/srv/work/with blank"), MOUNTINFO), ["/srv/work/with blank/proc"])
        self.assertEqual(mounts_below(Path("/srv/work/other"), MOUNTINFO), [])


class RemoveTests(SynchronousTestCase):
    """Removing."""

    def setUp(self) -> None:
        self.processes = ScriptedProcesses.of(self)
        table = Path(self.mktemp())
        table.write_text(MOUNTINFO)
        self.patch(trees, "MOUNTS", table)

    def remove(self, path: str) -> Deferred[None]:
        return Deferred.fromCoroutine(
            remove_tree(Path(path), self.processes, Privilege(("enter", "--")), ImmediateThreads())
        )

    def test_goes_through_the_privilege(self) -> None:
        """rm runs where the owners are what they seem."""
        self.processes.expect("^enter -- rm -rf --one-file-system -- /srv/other$")
        self.successResultOf(self.remove("/srv/other"))

    def test_refused_while_something_is_mounted(self) -> None:
        """Nothing is removed; the mount is named."""
        error = self.failureResultOf(self.remove("/srv/work"), Conflict).value
        self.assertIn("/srv/work/root/dev", str(error))
        self.assertEqual(error.hint, "umount /srv/work/root/dev")

    def test_parent_that_is_a_link(self) -> None:
        """The mount is found through it."""
        link = Path(self.mktemp()).absolute()
        link.symlink_to("/srv")
        self.failureResultOf(self.remove(f"{link}/work"), Conflict)
