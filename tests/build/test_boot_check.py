"""What the boot proof expects of an image."""

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.boot_check import serves_ssh
from imagefactory.model.icicle import PackageInfo, render_icicle


class SshTests(SynchronousTestCase):
    """Whether an SSH banner is waited for."""

    def test_by_the_packages_alone(self) -> None:
        """As Debian and as rpm name them; what a description or another package says of it is no server."""
        for name, there in (
            ("openssh-server", True),
            ("openssh-server-9.2p1-2.el9.x86_64", True),
            ("openssh-server-keygen", False),
            ("openssh-client", False),
        ):
            icicle = render_icicle("without openssh-server", [PackageInfo("bash"), PackageInfo(name)])
            self.assertEqual(serves_ssh(icicle), there, name)
