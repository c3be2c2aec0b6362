"""Partition geometry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import BuildFailed, InvalidInput
from imagefactory.systems.disk.layout import (
    GIB,
    MIB,
    SECTOR,
    TreeSize,
    fit,
    inodes,
    layout,
    needed,
    partition_table,
    root_uuid,
    smallest_disk,
)

SIZES = st.integers(128 * MIB, 4096 * GIB)
TREES = st.builds(TreeSize, st.integers(0, 500 * GIB), st.integers(1, 10_000_000))


class LayoutTests(SynchronousTestCase):
    """Where the partitions are."""

    @given(SIZES)
    def test_partitions_are_aligned_in_order_and_leave_room_for_both_tables(self, size: int) -> None:
        """Whatever the size: whole MiB, no overlap, nothing where the GPT's two copies are."""
        disk = layout(size, "seed")
        parts = (disk.bios, disk.esp, disk.root)
        self.assertEqual([part.offset % MIB for part in parts], [0, 0, 0])
        self.assertEqual([part.size % MIB for part in parts], [0, 0, 0])
        self.assertEqual(disk.bios.offset, MIB)
        self.assertEqual(disk.esp.offset, disk.bios.offset + disk.bios.size)
        self.assertEqual(disk.root.offset, disk.esp.offset + disk.esp.size)
        self.assertEqual(disk.root.offset + disk.root.size, disk.size - MIB)

    @given(SIZES)
    def test_the_disk_is_the_size_asked_for_in_whole_mib(self, size: int) -> None:
        """Never smaller, and less than a MiB larger."""
        disk = layout(size, "seed")
        self.assertEqual(disk.size % MIB, 0)
        self.assertTrue(0 <= disk.size - size < MIB)

    @given(st.integers(0, 60 * MIB))
    def test_a_disk_that_can_hold_nothing_is_refused(self, size: int) -> None:
        """The hint says how large it has to be, and that size works."""
        error = self.assertRaises(InvalidInput, layout, size, "seed")
        self.assertEqual(error.hint, "give it at least 67 MiB")
        layout(67 * MIB, "seed")

    def test_ids_depend_on_the_seed_and_nothing_else(self) -> None:
        """All differ from each other; the same seed gives the same, another one others."""

        def ids(seed: str, size: int = GIB) -> set[str]:
            disk = layout(size, seed)
            parts = (disk.bios.id, disk.esp.id, disk.root.id, disk.id, root_uuid(seed))
            return {str(id) for id in parts}

        self.assertEqual(len(ids("a")), 5)
        self.assertEqual(ids("a"), ids("a", 2 * GIB))
        self.assertEqual(ids("a") & ids("b"), set())

    def test_the_table_is_a_script_for_sfdisk(self) -> None:
        """One line per partition, positions in sectors."""
        disk = layout(GIB, "seed")
        lines = partition_table(disk).splitlines()
        self.assertEqual(lines[0], "label: gpt")
        self.assertEqual(
            [line for line in lines if line.startswith("start=")][2],
            (
                f"start=69632, size={(GIB - MIB) // SECTOR - 69632}, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, "
                f"uuid={disk.root.id}, name=root"
            ),
        )


class FitTests(SynchronousTestCase):
    """Does the tree fit?"""

    @given(TREES)
    def test_the_default_always_fits_and_is_whole_gib(self, tree: TreeSize) -> None:
        """At least 2 GiB, with half the tree's size to grow."""
        size = fit(None, tree)
        self.assertEqual(size % GIB, 0)
        self.assertGreaterEqual(size, 2 * GIB)
        self.assertGreaterEqual(layout(size, "seed").root.size, needed(tree) + tree.bytes // 2)

    @given(TREES)
    def test_the_smallest_size_that_is_named_is_accepted(self, tree: TreeSize) -> None:
        """One that is smaller is refused."""
        smallest = smallest_disk(needed(tree))
        self.assertEqual(fit(smallest, tree), smallest)
        self.assertGreaterEqual(layout(smallest, "seed").root.size, needed(tree))
        self.assertRaises(BuildFailed, fit, smallest - MIB, tree)

    def test_the_error_names_both_sizes_and_what_to_do(self) -> None:
        """And the hint is enough to get it right."""
        error = self.assertRaises(BuildFailed, fit, 512 * MIB, TreeSize(700 * MIB, 20_000))
        self.assertEqual(str(error), "the disk of 512 MiB is too small for the system of 700 MiB")
        self.assertIn("at least 831 MiB", error.hint)

    def test_there_are_inodes_for_many_small_files(self) -> None:
        """More than one per 16 KiB if the tree has more files, with some to spare."""
        self.assertEqual(inodes(GIB, TreeSize(MIB, 100)), 65536)
        self.assertEqual(inodes(GIB, TreeSize(MIB, 100_000)), 151_024)
