"""The package as it is installed: from a wheel, as plugins of twist and twistd, with what belongs into /etc and man."""

from __future__ import annotations

import os
import re
import shutil
import signal
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, TestCase

from imagefactory import __version__
from tests.functional.command import Running
from tests.functional.daemon import ANSWERS, DaemonCase
from tests.functional.warehouse_process import can_mount

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent
ALONE = {"PATH": os.environ["PATH"]}
PORTS = ("--address", "127.0.0.1", "--port", "0", "--warehouse_port", "0")


class PluginCase(DaemonCase):
    """Runs Twisted's own commands."""

    def serves(self, *argv: str, says: str = ANSWERS, **environment: str) -> str:
        """What a command logs that answers and then, on SIGTERM, stops in good order."""
        running = Running(argv, {**os.environ, "HOME": str(self.directory), **environment})
        self.addCleanup(running.kill)
        running.until(says)
        running.signal(signal.SIGHUP)
        running.until("no log file to reopen")
        running.signal(signal.SIGTERM)
        done = running.wait()
        self.assertIn(done.status, (0, -signal.SIGTERM), done.out + done.err)  # twist ends by the signal it got
        self.assertIn("stopped", done.out + done.err)
        self.assertNotIn("Traceback", done.out + done.err)
        return done.out + done.err


class CheckoutTests(PluginCase):
    """From a checkout."""

    def test_twist(self) -> None:
        """The service as a plugin, with its options after its name."""
        self.serves(str(SCRIPTS / "twist"), "imagefactory", "--state_dir", str(self.state), *PORTS)
        path = str(self.directory / "warehouse")
        says = "the warehouse answers on "
        self.serves(str(SCRIPTS / "twist"), "imagewarehouse", "--path", path, "--port", "0", says=says)

    def test_twist_says_what_is_wrong(self) -> None:
        """As the command does."""
        argv = [str(SCRIPTS / "twist"), "imagefactory", "--state_dir", "/proc/nowhere", *PORTS]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the state directory cannot be made", done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stdout + done.stderr)

    def test_twist_with_a_state_that_cannot_be_used(self) -> None:
        """What is found out only at the start makes the status 1, too."""
        self.state.mkdir(exist_ok=True)
        (self.state / "jobs.db").write_bytes(b"garbage " * 1000)
        argv = [str(SCRIPTS / "twist"), "imagefactory", "--state_dir", str(self.state), *PORTS]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("cannot start", done.stdout + done.stderr)

    def test_the_tac(self) -> None:
        """With the settings of the configuration file in /etc."""
        if not can_mount():
            raise SkipTest("needs to mount")
        etc = self.directory / "etc"
        shutil.copytree("/etc", etc, symlinks=True)
        (etc / "imagefactory").mkdir(exist_ok=True)
        shutil.copy(self.config, etc / "imagefactory/imagefactory.conf")
        twistd = (str(SCRIPTS / "twistd"), "--pidfile=", "-noy", str(ROOT / "imagefactory.tac"))
        self.serves("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(etc), *twistd)
        self.assertTrue((self.state / "jobs.db").exists())


class WheelTests(PluginCase):
    """From a wheel."""

    def test_a_clean_environment(self) -> None:
        """The wheel has all it needs; its commands and its plugin work where nothing else of ours is."""
        wheel = self._wheel()
        names = set(zipfile.ZipFile(wheel).namelist())
        needed = {"model/tdl.rng", "systems/qemu/probe.hex", "py.typed"}
        self.assertLessEqual({f"imagefactory/{name}" for name in needed}, names)
        self.assertIn("twisted/plugins/imagefactory_plugin.py", names)
        self.assertEqual({name.split("/")[0] for name in names if "dist-info" not in name}, {"imagefactory", "twisted"})
        self.assertFalse({"twisted/__init__.py", "twisted/plugins/__init__.py"} & names)
        place = self.directory / "venv"
        self._environment(place, wheel)
        for command in ("imagefactory", "imagewarehouse"):
            argv = [str(place / "bin" / command), "--version"]
            done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/", env=ALONE)
            self.assertEqual(done.stdout, f"{command} {__version__}\n")
        python = str(place / "bin" / "python")
        self.serves(python, "-m", "twisted", "imagefactory", "--state_dir", str(self.state), *PORTS, PYTHONPATH="")

    def _wheel(self) -> Path:
        """Built from what git knows, or from a copy of the tree."""
        source = self.directory / "source"
        leave = shutil.ignore_patterns(".git", ".venv", "_trial_temp*", "*.egg-info", "__pycache__", "tests")

        def leave_out(directory: str, names: list[str]) -> set[str]:
            """What is generated: at the top that is `build`, too, which is a package further down."""
            return leave(directory, names) | ({"build"} if Path(directory) == ROOT else set())

        shutil.copytree(ROOT, source, ignore=leave_out, symlinks=True)
        argv = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(self.directory), str(source)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
        if "setuptools" in done.stderr and "No matching distribution" in done.stderr:
            raise SkipTest("pip cannot reach its index")
        self.assertEqual(done.returncode, 0, done.stderr)
        (wheel,) = self.directory.glob("*.whl")
        return wheel

    def _environment(self, place: Path, wheel: Path) -> None:
        """A new environment with the wheel in it; only the libraries are those of this one."""
        venv.create(place, with_pip=False)
        (packages,) = place.glob("lib/python*/site-packages")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        target = ["install", "-q", "--no-deps", "--no-index", "--force-reinstall", str(wheel)]
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), *target]
        subprocess.run(pip, check=True, capture_output=True, cwd="/")
        libraries = next(path for path in site.getsitepackages() if Path(path, "twisted").exists())
        (packages / "libraries.pth").write_text(f"{libraries}\n")
        # .pth files of the libraries' directory are not followed, so our checkout is not found through them
        where = "import imagefactory; print(imagefactory.__file__)"
        argv = [str(place / "bin" / "python"), "-c", where]
        found = subprocess.run(argv, capture_output=True, text=True, check=True, cwd="/", env=ALONE)
        self.assertIn(str(place), found.stdout)


class SystemFilesTests(TestCase):
    """What packages put beside the program."""

    def tool(self, *argv: str) -> str:
        """What a program says of a good file; SkipTest without it."""
        if not shutil.which(argv[0]):
            raise SkipTest(f"needs {argv[0]}")
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, "MANWIDTH": "100"})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_units(self) -> None:
        """systemd understands every line; the program itself need not be in /usr/bin."""
        directory = Path(self.mktemp())
        directory.mkdir()
        for unit in (ROOT / "etc/systemd").glob("*.service"):
            text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
            text = re.sub(r"(?m)^Documentation=.*\n", "", text)
            (directory / unit.name).write_text(text)
            self.assertEqual(self.tool("systemd-analyze", "verify", str((directory / unit.name).resolve())), "")

    def test_manual_pages(self) -> None:
        """Render without a warning, and say what the tables say."""
        for page in (ROOT / "docs/man").glob("*.[1-8]"):
            self.assertEqual(self.tool("man", "--warnings", "-l", str(page)), "", page.name)
        subprocess.run([sys.executable, "-m", "scripts.manuals", "--check"], check=True, cwd=ROOT)


class LogrotateTests(DaemonCase):
    """The file for logrotate."""

    def test_the_log_is_rotated(self) -> None:
        """Its postrotate makes the daemon go on in a new file."""
        text = (ROOT / "etc/logrotate.d/imagefactory").read_text()
        text = text.replace("/var/log/imagefactory.log", str(self.directory / "daemon.log"))
        text = text.replace("/run/imagefactory.pid", str(self.directory / "daemon.pid"))
        self.rest()
        if shutil.which("logrotate"):
            file = self.directory / "logrotate.conf"
            file.write_text(text)
            subprocess.run(["logrotate", "-f", "-s", str(self.directory / "status"), str(file)], check=True)
        else:
            (script,) = re.findall(r"postrotate\n(.*?)endscript", text, re.DOTALL)
            (self.directory / "daemon.log").rename(self.directory / "daemon.log.1")
            subprocess.run(["sh", "-c", script], check=True)
        self.soon((self.directory / "daemon.log").exists, "no new log")
        self.assertIn(ANSWERS, (self.directory / "daemon.log.1").read_text())
        self.stop()
        self.assertIn("stopped", self.log)
