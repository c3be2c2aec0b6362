"""Customising through a guest: TDL's order, causes of failures, keys without secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.build.cache.keys import differing, fingerprints, stage_key
from imagefactory.lib.errors import BuildFailed, CommandFailed, InvalidInput, NoSpace
from imagefactory.lib.secret import Secret
from imagefactory.model.icicle import PackageInfo
from imagefactory.model.report import Silence
from imagefactory.model.template import (
    Arch,
    GuestFile,
    Inline,
    OperatingSystem,
    Remote,
    Repository,
    Script,
    Template,
    UrlInstall,
)
from imagefactory.systems.families.debian import FAMILY
from imagefactory.systems.families.interface import Release
from imagefactory.systems.stages.customise import customise, customise_inputs
from imagefactory.testing.guests import MemoryGuest

BOOKWORM = Release("debian", "Debian", "12", "bookworm")
OS = OperatingSystem(
    "Debian", "12", Arch.X86_64, UrlInstall("http://mirror.example/debian"), root_password=Secret("hush")
)
TEMPLATE = Template(
    "web",
    OS,
    repositories=(
        Repository("kept", "deb http://r.example/a bookworm main"),
        Repository("lent", "deb http://r.example/b bookworm main", persisted=False),
    ),
    packages=("nginx",),
    files=(GuestFile("/etc/motd", Inline(b"hello\n")),),
    precommands=(Script("key", Inline(b"fetch-key\n")),),
    commands=(Script("setup", Inline(b"do-setup\n")),),
)


class CustomiseTests(SynchronousTestCase):
    """One guest in memory."""

    def setUp(self) -> None:
        self.guest = MemoryGuest()
        self.guest.answer("dpkg-query", "nginx\t1.22\tamd64\tii ", "bash\t5.2\tamd64\tii ")

    async def _work(self, template: Template) -> tuple[PackageInfo, ...]:
        async with self.guest:
            return await customise(self.guest, FAMILY, BOOKWORM, template, Silence(), timeout=9)

    def customise(self, template: Template = TEMPLATE) -> Any:
        """What `customise` returns or raises."""
        return Deferred.fromCoroutine(self._work(template))

    def test_order(self) -> None:
        """Password, precommands, lists, packages, commands; then the listing."""
        packages = self.successResultOf(self.customise())
        titles = [ran.title for ran in self.guest.ran]
        self.assertEqual(
            titles[1:],
            [
                "set the root password",
                "precommand key",
                "read package lists",
                "install packages",
                "command setup",
                "list packages",
            ],
        )
        self.assertEqual([one.name for one in packages], ["nginx", "bash"])
        self.assertEqual(self.guest.files["/etc/motd"].data, b"hello\n")

    def test_repositories_that_are_not_persisted_go(self) -> None:
        """The lent one is used and removed, the other stays."""
        self.successResultOf(self.customise())
        self.assertEqual(self.guest.removed, ["/etc/apt/sources.list.d/lent.list"])
        self.assertIn("/etc/apt/sources.list.d/kept.list", self.guest.files)

    def test_the_password_is_not_in_a_script(self) -> None:
        """It goes in by standard input."""
        self.successResultOf(self.customise())
        self.assertEqual([ran.stdin for ran in self.guest.ran if ran.stdin], [b"root:hush\n"])
        self.assertFalse([ran for ran in self.guest.ran if "hush" in ran.script + ran.title])

    def test_a_command_for_another_interpreter(self) -> None:
        """It is run as the program that its first line makes it, and is not in the image."""
        python = b"#!/usr/bin/python3\nprint('hello')\n"
        seen: list[bytes] = []
        real = self.guest.run

        async def run(script: str, **how: Any) -> None:
            if how["title"] == "command setup":
                seen.append(self.guest.files[script].data)
            await real(script, **how)

        self.patch(MemoryGuest, "run", lambda _, script, **how: run(script, **how))
        self.successResultOf(self.customise(replace(TEMPLATE, commands=(Script("setup", Inline(python)),))))
        self.assertEqual(seen, [python])
        self.assertFalse([path for path in self.guest.files if "imagefactory-command" in path])

    def test_a_failing_command(self) -> None:
        """It is named, with status and last lines, and nothing runs after it."""
        self.guest.answer("do-setup", "E: broken", code=3)
        error = self.failureResultOf(self.customise(), CommandFailed).value
        self.assertEqual(str(error), "command setup ended with exit status 3\n  | E: broken")
        self.assertEqual(self.guest.ran[-1].title, "command setup")

    def test_a_command_s_words_are_its_own(self) -> None:
        """What looks like apt's trouble in a template's command is not explained away; a full disk is."""
        self.guest.answer("do-setup", "404  Not Found", code=22)
        self.failureResultOf(self.customise(), CommandFailed)
        self.guest.answer("do-setup", "write: No space left on device", code=1)
        self.failureResultOf(self.customise(), NoSpace)

    def test_a_package_that_does_not_exist(self) -> None:
        """The error names it."""
        self.guest.answer("apt-get.* install", "E: Unable to locate package nginx", code=100)
        error = self.failureResultOf(self.customise(), BuildFailed).value
        self.assertEqual(error.message, "package nginx does not exist in the repositories")

    def test_the_cause_that_weighs_most(self) -> None:
        """Not the first that is printed: a full disk makes other things fail, too."""
        said = ("E: Failed to fetch x  404  Not Found", *["noise"] * 50, "E: write: No space left on device", "E: end")
        self.guest.answer("apt-get.* install", *said, code=100)
        self.failureResultOf(self.customise(), NoSpace)

    def test_nothing_to_install_needs_no_lists(self) -> None:
        """A template without packages and repositories reads none."""
        self.successResultOf(self.customise(replace(TEMPLATE, packages=(), repositories=())))
        self.assertNotIn("read package lists", [ran.title for ran in self.guest.ran])

    def test_extra_lines(self) -> None:
        """Line N of the extra command belongs to package N; another number of lines is an error."""
        template = replace(TEMPLATE, os=replace(OS, icicle_extra_command="annotate"))
        self.guest.answer("annotate", "web server", "shell")
        self.assertEqual([one.extra for one in self.successResultOf(self.customise(template))], ["web server", "shell"])
        self.guest.answer("annotate", "only one")
        self.failureResultOf(self.customise(template), CommandFailed)

    def test_a_command_that_never_ends(self) -> None:
        """Everything that runs in the system has the time limit of a step, the questions about it too."""
        template = replace(TEMPLATE, os=replace(OS, icicle_extra_command="annotate"))
        self.guest.answer("annotate", "web server", "shell")
        self.successResultOf(self.customise(template))
        self.assertEqual([ran.title for ran in self.guest.ran if ran.total != 9], [])

    def test_contents_must_be_there(self) -> None:
        """A content that was not fetched, or a command that is no text, is no guess."""
        remote = replace(TEMPLATE, files=(GuestFile("/x", Remote("http://m.example/x")),))
        self.failureResultOf(self.customise(remote), InvalidInput)
        binary = replace(TEMPLATE, commands=(Script("b", Inline(b"\xff\xfe")),))
        self.failureResultOf(self.customise(binary), InvalidInput)


class InputsTests(SynchronousTestCase):
    """What the key of this stage is made of."""

    def test_each_change_changes_an_input(self) -> None:
        """Content, order, password and repository count; what belongs to other stages does not."""
        before = customise_inputs(TEMPLATE, FAMILY, {})
        for changed in (
            replace(TEMPLATE, packages=("nginx", "curl")),
            replace(TEMPLATE, files=(GuestFile("/etc/motd", Inline(b"bye\n")),)),
            replace(TEMPLATE, commands=()),
            replace(TEMPLATE, os=replace(OS, root_password=Secret("other"))),
            replace(TEMPLATE, repositories=TEMPLATE.repositories[:1]),
            replace(TEMPLATE, name="db"),
            replace(TEMPLATE, description="new"),
        ):
            self.assertNotEqual(customise_inputs(changed, FAMILY, {}), before)
        same = replace(TEMPLATE, disk_size=1 << 33, os=replace(OS, kernel_parameters="quiet"))
        self.assertEqual(customise_inputs(same, FAMILY, {}), before)

    def test_a_repository_that_changed_is_named(self) -> None:
        """Its text is the same, what is in it is not."""
        before, after = (
            stage_key("customise", customise_inputs(TEMPLATE, FAMILY, {"kept": index})) for index in ("1", "2")
        )
        self.assertEqual(differing(fingerprints(before), fingerprints(after)), ("repository kept",))

    def test_no_secret_in_the_inputs(self) -> None:
        """The password is there as a digest only."""
        self.assertNotIn("hush", repr(customise_inputs(TEMPLATE, FAMILY, {})))
