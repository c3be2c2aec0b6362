"""The private names of twistd."""

from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.twisted_private.twistd import ServerOptions, UnixApplicationRunner


class TwistdTests(SynchronousTestCase):
    """What `twistd` itself uses."""

    def test_the_same_as_twistd_uses(self) -> None:
        """Its options and its runner, with the methods that we override or call."""
        self.assertIs(twistd.ServerOptions, ServerOptions)
        self.assertIs(twistd._SomeApplicationRunner, UnixApplicationRunner)
        for name in ("daemonize", "run"):
            self.assertTrue(callable(getattr(UnixApplicationRunner, name)))
        self.assertTrue({"nodaemon", "pidfile", "rundir", "umask", "logger"} <= set(ServerOptions().keys()))
