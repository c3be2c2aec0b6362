"""Privilege: what a host gives us, and what an administrator has to do."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import FactoryError, MissingTool, Unsupported
from imagefactory.lib.process import privilege
from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.privilege import NAMESPACE, HostAbilities, decide, enough, find_privilege, look_at_host
from imagefactory.testing.processes import ScriptedProcesses
from imagefactory.testing.threads import ImmediateThreads

USER = HostAbilities(
    uid=1000,
    user="ann",
    subuid="root:1:65536\nann:100000:65536\n",
    subgid="ann:100000:65536\n",
    tools=frozenset({"unshare", "newuidmap", "newgidmap"}),
    namespaces=10_000,
)


class DecideTests(SynchronousTestCase):
    """The pure part."""

    def refused(self, **changes: object) -> FactoryError:
        """The error for a host that differs from a good one."""
        error: FactoryError = self.assertRaises(FactoryError, decide, replace(USER, **changes))  # type: ignore[arg-type]
        return error

    def test_root_needs_nothing(self) -> None:
        """As root commands run as they are."""
        self.assertEqual(decide(HostAbilities(uid=0, user="root")).argv("ls", "-l"), ("ls", "-l"))

    def test_user_with_ids(self) -> None:
        """An ordinary user with ranges goes through a user namespace."""
        self.assertEqual(decide(USER).argv("ls"), (*NAMESPACE, "ls"))

    def test_missing_programs(self) -> None:
        """The package is named."""
        error = self.refused(tools=frozenset({"unshare", "newgidmap"}))
        self.assertIsInstance(error, MissingTool)
        self.assertIn("uidmap", error.hint)

    def test_no_ids(self) -> None:
        """The file and the command that gives the ids are named."""
        error = self.refused(subgid="bob:100000:65536\n")
        self.assertIn("/etc/subgid", error.message)
        self.assertNotIn("/etc/subuid", error.message)
        self.assertIn("usermod --add-subuids", error.hint)
        self.assertIn("ann", error.hint)

    def test_namespaces_switched_off(self) -> None:
        """The kernel's switch is named."""
        self.assertIn("max_user_namespaces", self.refused(namespaces=0).hint)

    def test_ranges(self) -> None:
        """By name or by number, large enough in one range, whatever else is in the file."""
        good = ("ann:1:65536", "1000:1:65535", "\n#x\nbob:1:2\nann:1:10\nann:5:70000\n")
        bad = ("", "ann:1:65534", "ann:1:40000\nann:50000:40000", "ann:1", "ann:1:x", "anna:1:65536", "\0\n:::")
        self.assertEqual([enough(text, USER) for text in good], [True] * len(good))
        self.assertEqual([enough(text, USER) for text in bad], [False] * len(bad))

    def test_this_host(self) -> None:
        """Looking at the real host raises nothing."""
        self.assertTrue(look_at_host().user)


class FindTests(SynchronousTestCase):
    """With a proof."""

    def setUp(self) -> None:
        self.processes = ScriptedProcesses.of(self)

    def find(self, host: HostAbilities) -> Deferred[Privilege]:
        self.patch(privilege, "look_at_host", lambda: host)
        return Deferred.fromCoroutine(find_privilege(self.processes, ImmediateThreads()))

    def test_root_proves_nothing(self) -> None:
        """No process is started."""
        self.assertEqual(self.successResultOf(self.find(HostAbilities(uid=0, user="root"))), Privilege())

    def test_user_proves_it(self) -> None:
        """A namespace is entered once."""
        self.processes.expect("unshare --user .* true")
        self.assertEqual(self.successResultOf(self.find(USER)).prefix, NAMESPACE)

    def test_kernel_says_no(self) -> None:
        """What it said is in the error."""
        self.processes.expect("unshare", lines=["unshare: Operation not permitted"], exit=1)
        error = self.failureResultOf(self.find(USER), Unsupported).value
        self.assertIn("Operation not permitted", str(error))
        self.assertIn("apparmor", error.hint)
