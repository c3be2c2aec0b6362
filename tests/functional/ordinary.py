"""Work as an ordinary user."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import TestCase

from imagefactory.lib.process.interface import Privilege
from imagefactory.lib.process.privilege import NAMESPACE

USER = "imagefactory-test"


class OrdinaryUser(TestCase):
    """Its trees belong to a new user, who is root in a namespace of its own, with subordinate ids."""

    privilege: Privilege

    async def setUp(self) -> None:
        if os.getuid() != 0:
            raise SkipTest("needs root to become another user")
        subprocess.run(["useradd", "--create-home", USER], check=True)
        self.addCleanup(subprocess.run, ["userdel", "--remove", USER], capture_output=True)
        self.user = pwd.getpwnam(USER)
        become = ("setpriv", "--reuid", str(self.user.pw_uid), "--regid", str(self.user.pw_gid), "--init-groups", "--")
        self.privilege = Privilege((*become, *NAMESPACE))
        if subprocess.run(self.privilege.argv("true"), capture_output=True, check=False).returncode:
            raise SkipTest("ordinary users cannot enter user namespaces here")
        await super().setUp()

    def place(self) -> Path:
        return Path(self.user.pw_dir)
