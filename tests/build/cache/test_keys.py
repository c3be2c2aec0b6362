"""Keys change with every input, and with nothing else."""

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.cache.interface import StageKey
from imagefactory.build.cache.keys import PARENT, differing, fingerprints, stage_key

TEXTS = st.text(max_size=20)
INPUTS = st.dictionaries(TEXTS, TEXTS, max_size=6)


def changes(old: StageKey, new: StageKey) -> tuple[str, ...]:
    """What the cache tells of a changed key."""
    return differing(fingerprints(old), fingerprints(new))


class StageKeyTests(SynchronousTestCase):
    """The digest is the identity of a result."""

    @given(INPUTS, st.randoms())
    def test_order_does_not_matter(self, inputs: dict[str, str], random: object) -> None:
        """The same inputs in another order have the same key."""
        names = list(inputs)
        random.shuffle(names)  # type: ignore[attr-defined]
        self.assertEqual(stage_key("base", inputs), stage_key("base", {name: inputs[name] for name in names}))

    @given(INPUTS, INPUTS)
    def test_any_change_changes(self, one: dict[str, str], other: dict[str, str]) -> None:
        """Different inputs have different digests, and the difference has a name."""
        assume(one != other)
        old, new = stage_key("base", one), stage_key("base", other)
        self.assertNotEqual(old.digest, new.digest)
        self.assertTrue(changes(old, new))

    def test_kind_and_parent_count(self) -> None:
        """The same inputs for another stage, or on another base, are another result."""
        keys = [stage_key("base", {}), stage_key("adapt", {}), stage_key("adapt", {}, "aa"), stage_key("a", {}, "bb")]
        self.assertEqual(len({key.digest for key in keys}), 4)

    def test_neighbouring_texts_do_not_run_together(self) -> None:
        """Moving a character from a name to its value, or from one input to the next, is a change."""
        texts = [{"ab": "c"}, {"a": "bc"}, {"a": "b", "c": ""}, {"a": "", "b": "c"}, {"a": '","b":"'}]
        self.assertEqual(len({stage_key("base", inputs).digest for inputs in texts}), len(texts))

    def test_the_digest_is_the_same_everywhere(self) -> None:
        """Another process, another day: a cache survives restarts."""
        key = stage_key("base", {"suite": "bookworm", "arch": "x86_64"}, "ff")
        self.assertEqual(key.digest, "3d3b1860d008fbd0dc400f163c2c1b538912d0bcf1c85c9c3fd503f20f1002af")

    def test_later_changes_of_the_given_mapping_do_not_reach_the_key(self) -> None:
        """A key is a value."""
        inputs = {"suite": "bookworm"}
        key = stage_key("base", inputs)
        inputs["suite"] = "trixie"
        self.assertEqual(dict(key.inputs), {"suite": "bookworm"})


class ChangedInputsTests(SynchronousTestCase):
    """A miss can be explained."""

    @given(INPUTS, TEXTS, TEXTS)
    def test_exactly_the_changed_one_is_named(self, inputs: dict[str, str], name: str, value: str) -> None:
        """One changed, added or removed input is the only one reported."""
        changed = {**inputs, name: value}
        assume(changed != inputs)
        old, new = stage_key("base", inputs), stage_key("base", changed)
        self.assertEqual(changes(old, new), (name,))
        self.assertEqual(changes(new, old), (name,))

    @given(INPUTS)
    def test_nothing_changed(self, inputs: dict[str, str]) -> None:
        """A key does not differ from itself."""
        self.assertEqual(changes(stage_key("base", inputs), stage_key("base", inputs)), ())

    def test_a_changed_base_is_told_as_such(self) -> None:
        """People read of the previous stage, not of a digest."""
        old, new = stage_key("adapt", {"format": "raw"}, "aa"), stage_key("adapt", {"format": "raw"}, "bb")
        self.assertEqual(changes(old, new), (PARENT,))

    def test_what_is_kept_does_not_show_the_inputs(self) -> None:
        """A root password may be an input; what is written beside a result holds digests only."""
        key = stage_key("customise", {"root password": "hunter2"}, "aa")
        self.assertNotIn("hunter2", repr(fingerprints(key)))
        self.assertEqual(differing(fingerprints(key), fingerprints(key)), ())
