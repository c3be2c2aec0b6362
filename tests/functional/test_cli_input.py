"""What people get wrong: each time the command says what, where and what to do, and leaves nothing."""

from __future__ import annotations

import socket

from tests.functional.command import CommandCase
from tests.functional.tinyos import TREE, template

TARGET = ("--target", "rhevm")


class TemplateTests(CommandCase):
    """Templates that are refused before anything is built: exit status 2."""

    def refused(self, text: str) -> str:
        """What is said about a template."""
        said = self.fails("--template", self.file(text), *TARGET, status=2)
        self.assertFalse(self.jobs(), said)
        return said

    def test_malformed(self) -> None:
        """The line is named."""
        self.assertIn("line 2", self.refused("<template>\n<name>x"))

    def test_hostile(self) -> None:
        """No entities, no files of this host, no way out of the image."""
        entity = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><template>&a;</template>'
        self.assertIn("DOCTYPE", self.refused(entity))
        motd = '<file name="/etc/motd">hello'
        theirs = template().replace(motd, '<file name="/etc/motd" type="url">file:///etc/shadow')
        self.assertIn("--file_sources", self.refused(theirs))
        said = self.refused(template().replace("/etc/motd", "../etc/motd"))
        self.assertIn("'../etc/motd'", said)
        self.assertNotIn("root:", said)

    def test_all_problems_at_once(self) -> None:
        """Each with its line and element."""
        wrong = template().replace("<arch>x86_64", "<arch>vax").replace("<commands>", "<orders/><commands>")
        said = self.refused(wrong)
        self.assertIn("'vax' is none of", said)
        self.assertIn("unknown element 'orders'", said)

    def test_unknown_systems(self) -> None:
        """What is known is listed."""
        self.assertIn("Fedora 20 to 50", self.refused(template(name="Amiga")))
        self.assertIn("AlmaLinux 77 is not known", self.refused(template(version="77")))

    def test_unreadable(self) -> None:
        """The path and the reason."""
        said = self.fails("--template", "/no/such/file", *TARGET, status=2)
        self.assertIn("/no/such/file: cannot read this file: No such file", said)


class UsageTests(CommandCase):
    """Command lines and configurations: exit status 2."""

    def test_targets(self) -> None:
        """An unknown one gets the list; none at all gets the ways to call the command."""
        tdl = self.file(template())
        self.assertIn("there are condorcloud, ec2", self.fails("--template", tdl, "--target", "cloud9", status=2))
        self.assertIn("--image UUID", self.fails("--template", tdl, status=2))
        self.assertIn("daemon     --rest", self.fails(status=2))

    def test_everything_wrong_at_once(self) -> None:
        """All problems of command line and file, each with its place; a machine gets them as a document."""
        self.configure(timeout="soon", nonsense=1, accel="warp")
        done = self.command("--frobnicate", "--port", "x", "--json", status=2)
        for problem in ("--frobnicate", "--port", "timeout: 'soon'", "nonsense", "accel: 'warp'"):
            self.assertIn(problem, done.err)
        self.assertEqual(len(done.document["error"]["problems"]), 5)
        self.config.write_text('{"timeout": 1,')
        self.assertIn("line 1", self.fails(*TARGET, status=2))
        self.config.unlink()
        self.assertIn(str(self.config), self.fails(*TARGET, status=2))

    def test_a_state_directory_that_cannot_be(self) -> None:
        """It is named, with what to do."""
        self.configure(state_dir="/proc/nowhere")
        said = self.fails("--template", self.file(template()), *TARGET)
        self.assertIn("/proc/nowhere", said)
        self.assertIn("--state_dir", said)


class SourceTests(CommandCase):
    """Mirrors, packages and commands that fail the build: exit status 1."""

    def built(self, *arguments: str, **template_parts: tuple[str, ...] | str) -> str:
        """What a build says that fails."""
        tdl = self.file(template(**template_parts))  # type: ignore[arg-type]
        return self.fails("--template", tdl, *TARGET, *arguments)

    def test_mirrors(self) -> None:
        """A host that does not answer, or has no file there: the error names the URL and the setting that helps."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
        self.configure(mirrors={TREE: f"http://127.0.0.1:{port}/x"})
        said = self.built()
        self.assertIn("refused", said)
        self.assertIn("setting mirrors", said)
        self.configure(mirrors={TREE: f"{self.tiny.url}/elsewhere"})
        self.assertIn("/elsewhere/repodata/repomd.xml: the mirror answers 404", self.built())

    def test_signatures(self) -> None:
        """A signed tree needs a key; what lacks the signature is not installed."""
        self.assertIn("distribution-gpg-keys", self._signed())

    def _signed(self) -> str:
        tdl = self.file(template().replace("<signed>no", "<signed>yes"))
        return self.fails("--template", tdl, *TARGET)

    def test_packages_and_commands(self) -> None:
        """What is missing or fails is named, with the exit status and the last lines."""
        said = self.built(packages=("no-such-thing",))
        self.assertIn("package no-such-thing does not exist in the repositories", said)
        said = self.built("-v", commands=("true", "echo this is why; exit 7"))
        self.assertIn("rhevm: this is why\n", said)
        self.assertIn("FAILED", said)
        self.assertIn("command second ended with exit status 7\n  | this is why\n", said)
        id = said.split("--log ")[1].split()[0]
        self.assertIn("this is why\n", self.command("--log", id).out)

    def test_a_command_that_never_ends(self) -> None:
        """It is ended after --timeout, with all that it started."""
        said = self.built("--timeout", "5", commands=("sleep 1000 &amp; sleep 1000",))
        self.assertIn("command first was not done after 5 seconds", said)
        self.assertIn("--timeout", said)
        endless = "<icicle><extra_command>sleep 1000</extra_command></icicle></os>"
        tdl = self.file(template().replace("</os>", endless))
        said = self.fails("--template", tdl, "--timeout", "5", *TARGET)
        self.assertIn("extra command of the ICICLE was not done after 5 seconds", said)

    def test_a_disk_that_is_too_small(self) -> None:
        """The size that would do is named, and does."""
        tdl = self.file(template(size="20M"))
        self.assertIn("at least 67 MiB", self.fails("--plan", "--template", tdl, *TARGET, status=2))
        said = self.built(size="67M")
        self.assertIn("the disk of 67 MiB is too small", said)
        least = said.split("at least ")[1].split(" MiB")[0]
        self.command("--template", self.file(template(size=f"{least}M")), *TARGET)
