"""What the targets ask for is what the tools understand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

from twisted.trial.unittest import SkipTest

from imagefactory.model.report import Silence
from imagefactory.systems.disk.convert import convert
from imagefactory.targets.registry import TARGETS, InstalledTargets
from imagefactory.testing.targets import IMAGE_ID, NAMES, no_parameters, target_context, template
from tests.functional.real import RealTestCase

MIB = 1 << 20
SIZE = 65 * MIB


class ConversionTests(RealTestCase):
    """Every conversion, by qemu-img."""

    async def test_every_conversion_keeps_size_and_content(self) -> None:
        """The converted disk is as large as it was and holds what it held."""
        if not shutil.which("qemu-img"):
            raise SkipTest("qemu-img is not installed")
        disk = self.directory / "disk.raw"
        disk.write_bytes(os.urandom(MIB) + b"a" * 3 * MIB)
        os.truncate(disk, SIZE)
        targets = InstalledTargets(target_context(self.threads))
        for name in TARGETS.names():
            target = targets.target(name)
            if target.os:
                conversion = target.conversion()
                image = self.directory / f"{name}.{conversion.format}"
                tools = {"processes": self.processes, "threads": self.threads, "report": Silence()}
                await convert(disk, image, conversion, **tools)  # type: ignore[arg-type]
                facts = json.loads(self.qemu_img("info", "--output=json", "-f", conversion.format, str(image)))
                self.assertEqual((name, facts["virtual-size"]), (name, SIZE))
                self.assertIn("identical", self.qemu_img("compare", "-F", conversion.format, str(disk), str(image)))

    def qemu_img(self, command: str, *argv: str) -> str:
        options = ("-f", "raw") if command == "compare" else ()
        ended = subprocess.run(["qemu-img", command, *options, *argv], capture_output=True, text=True, check=True)
        return ended.stdout


class ParametersTests(RealTestCase):
    """Every libvirt domain, by libvirt's own schema."""

    def test_libvirt_accepts_the_domains(self) -> None:
        """Whatever the template is called; with the disk below a directory, which a push knows and a build does not."""
        if not shutil.which("virt-xml-validate"):
            raise SkipTest("virt-xml-validate is not installed")
        targets = InstalledTargets(target_context(self.threads))
        for name in TARGETS.names():
            for title in NAMES:
                parameters = targets.target(name).parameters(template(title), IMAGE_ID, SIZE)
                if parameters not in {None, no_parameters(name)}:
                    file = self.directory / "domain.xml"
                    file.write_text(str(parameters).replace('<source file="', '<source file="/images/'))
                    argv = ("virt-xml-validate", str(file), "domain")
                    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
                    self.assertEqual((ended.returncode, name), (0, name), ended.stderr)
