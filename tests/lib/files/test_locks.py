"""Locks between processes."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.files.locks import FileLock


class FileLockTests(SynchronousTestCase):
    """One exclusive owner or many shared ones."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_exclusive_and_shared(self) -> None:
        """As flock(2) has it, within one process too."""
        one, other = FileLock(self.path), FileLock(self.path)
        self.assertTrue(one.take(create=True))
        self.assertFalse(other.take(shared=True))
        one.release()
        self.assertTrue(one.take(shared=True) and other.take(shared=True))
        self.assertFalse(FileLock(self.path).take())

    def test_no_file_is_no_lock(self) -> None:
        """Unless it may be made."""
        self.assertFalse(FileLock(self.path).take())
        self.assertFalse(self.path.exists())

    def test_the_lock_of_a_replaced_file_is_none(self) -> None:
        """Who removes the file with the lock leaves no second owner of the old one."""
        one, other = FileLock(self.path), FileLock(self.path)
        self.assertTrue(one.take(create=True))
        self.path.rename(f"{self.path}.old")
        self.assertTrue(other.take(create=True))
        one.release()
        other.release(remove=True)
        other.release(remove=True)
        self.assertFalse(self.path.exists())

    def test_content(self) -> None:
        """The owner may write what others read; a shorter text leaves nothing of a longer one."""
        lock = FileLock(self.path)
        self.assertTrue(lock.take(create=True, mode=0o644))
        lock.write(b"12345\n")
        lock.write(b"6\n")
        self.assertEqual((lock.read(), self.path.read_text()), (b"6\n", "6\n"))

    def test_moved(self) -> None:
        """The lock goes with the file, over one that was there."""
        lock, there = FileLock(self.path), Path(f"{self.path}.there")
        there.write_text("old")
        self.assertTrue(lock.take(create=True))
        lock.move(there)
        self.assertFalse(FileLock(there).take())
        lock.release(remove=True)
        self.assertEqual((lock.held, self.path.exists(), there.exists()), (False, False, False))

    def test_another_ones_file_is_not_removed(self) -> None:
        """What has the name by now is not ours."""
        lock = FileLock(self.path)
        self.assertTrue(lock.take(create=True))
        Path(f"{self.path}.new").write_text("another one")
        Path(f"{self.path}.new").rename(self.path)
        lock.release(remove=True)
        self.assertEqual(self.path.read_text(), "another one")
