"""Limits on open files."""

import resource

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.runtime.descriptors import Limit, OriginalLimit, connections_within, raise_limit

NOFILE = resource.RLIMIT_NOFILE
INFINITY = resource.RLIM_INFINITY


class RoomTests(SynchronousTestCase):
    """For connections."""

    def made(self, before: Limit, connections: int = 1000) -> tuple[Limit | None, int]:
        """The limit that was set (None: it stayed), and how many connections fit then."""
        now = [before]
        self.assertEqual(raise_limit(connections, lambda _: before, lambda _, limit: now.append(limit)), before)
        return (now[1] if len(now) > 1 else None), connections_within(connections, lambda _: now[-1])

    def test_it_is_raised_as_far_as_needed(self) -> None:
        """And as far as it may; what does not fit then is not let in, and a few always are."""
        self.assertEqual(((1256, 4096), 1000), self.made((1024, 4096)))
        self.assertEqual(((1256, INFINITY), 1000), self.made((1024, INFINITY)))
        self.assertEqual(((1100, 1100), 844), self.made((1024, 1100)))
        self.assertEqual((None, 768), self.made((1024, 1024)))
        self.assertEqual((None, 1000), self.made((65536, 65536)))
        self.assertEqual((None, 1000), self.made((INFINITY, INFINITY)))
        self.assertEqual((None, 16), self.made((100, 100)))

    def test_several_each(self) -> None:
        """Where more than one goes with a connection."""
        set_: list[Limit] = []
        raise_limit(1000, lambda _: (1024, 4096), lambda _, limit: set_.append(limit), each=3)
        self.assertEqual([(3256, 4096)], set_)
        self.assertEqual(
            [1000, 256, 16], [connections_within(1000, lambda _, n=n: (n, n), each=3) for n in (3256, 1024, 256)]
        )

    def test_children(self) -> None:
        """Get the old one; one that has ended meanwhile is no error."""
        told: list[tuple[int, int, Limit]] = []
        OriginalLimit((1024, 4096), lambda *call: told.append(call)).started(7)
        self.assertEqual([(7, NOFILE, (1024, 4096))], told)

        def gone(*_: object) -> None:
            raise ProcessLookupError

        OriginalLimit((1, 1), gone).started(7)
