"""Bodies in a directory, held to the contract of blob stores."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.testing.blobs import BlobContract
from imagefactory.warehouse.store.directory import DirectoryBlobs
from tests.warehouse.places import fresh_directory


class DirectoryContractTests(BlobContract, SynchronousTestCase):
    """The contract, on files."""

    def make(self) -> DirectoryBlobs:
        """A store in a fresh directory."""
        blobs = DirectoryBlobs(fresh_directory(self))
        self.addCleanup(blobs.close)
        return blobs
