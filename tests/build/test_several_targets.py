"""Several targets of one template share its base and its customised system."""

from twisted.internet.defer import CancelledError, Deferred

from tests.build.cases import PipelineCase, nothing


class SeveralTargetsTests(PipelineCase):
    """Builds that run at the same time."""

    def test_three_targets_at_once(self) -> None:
        """One base and one customisation for all; one plan; each target's tree is laid over that of all."""
        self.three_at_once(unpacked=0)

    def test_three_targets_where_no_tree_can_be_laid_over_another(self) -> None:
        """The tree goes to the first, the others unpack."""
        self.actions.layers = False
        self.three_at_once(unpacked=2)

    def three_at_once(self, unpacked: int) -> None:
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "base" and not gate.called else nothing()
        orders = [self.order(name) for name in ("ec2", "rhevm", "vsphere")]
        builds = [self.begin(order) for order in orders]
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(1, self.actions.steps.count("base"))
        self.assertEqual(1, self.actions.steps.count("customise"))
        self.assertEqual(3, self.actions.steps.count("adapt"))
        self.assertEqual(unpacked, self.actions.steps.count("unpack"))
        self.assertEqual(b"base 12\ncustomise\nadapt vsphere\n", self.image(orders[2]))
        self.assert_clean()

    def test_one_stage_from_the_cache_for_two_more_targets(self) -> None:
        """It is unpacked once for both."""
        self.build(self.order())
        self.actions.steps.clear()
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "unpack" and not gate.called else nothing()
        builds = [self.begin(self.order(name)) for name in ("rhevm", "vsphere")]
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(["unpack", "adapt", "adapt"], sorted(self.actions.steps, reverse=True))
        self.assert_clean()

    def test_as_many_at_once_as_there_are_places(self) -> None:
        """Of three targets two are adapted at once; the third has no workspace until one has ended."""
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda step: gate if step == "adapt" else nothing()
        builds = [self.begin(self.order(name)) for name in ("ec2", "rhevm", "vsphere")]
        self.assertEqual(3, len(self.journal.noted))  # theirs, and the one below
        gate.callback(None)
        for build in builds:
            self.successResultOf(build)
        self.assertEqual(3, self.actions.steps.count("adapt"))
        self.assert_clean()

    def test_one_of_two_is_cancelled(self) -> None:
        """The other goes on with the stage that both wait for, although the first had begun it."""
        gate: Deferred[None] = Deferred()
        self.actions.pause = lambda name: gate if name == "customise" else nothing()
        first, second = self.begin(self.order()), self.begin(self.order("rhevm"))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        gate.callback(None)
        self.successResultOf(second)
        self.assertEqual(1, self.actions.steps.count("customise"))
        self.assert_clean()
