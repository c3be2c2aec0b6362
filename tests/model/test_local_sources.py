"""Files of this host that a template wants."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.errors import Forbidden
from imagefactory.model.local_sources import local_path, refuse_local_sources
from imagefactory.model.template import (
    Arch,
    Checksum,
    Extra,
    GuestFile,
    Inline,
    Install,
    IsoInstall,
    OperatingSystem,
    Remote,
    Script,
    Template,
    UrlInstall,
)

WEB = "http://h.example/x"


def template(install: Install | None = None, file: str = WEB, command: str = WEB, before: str = WEB) -> Template:
    """A template with sources in every place there is."""
    return Template(
        name="t",
        os=OperatingSystem("Debian", "12", Arch.X86_64, install or UrlInstall(WEB)),
        files=(GuestFile("/a", Remote(file)), GuestFile("/b", Inline(b"file:///etc/passwd"))),
        commands=(Script("c", Remote(command)),),
        precommands=(Script("p", Remote(before)),),
    )


class LocalSourceTests(SynchronousTestCase):
    """Files of this host are read only from directories that are named."""

    def test_no_local_source(self) -> None:
        """What is fetched by http is no matter here."""
        refuse_local_sources(template(), ())

    def test_every_place(self) -> None:
        """Install trees, media, their checksums and extras, files and commands."""
        local = "file:///srv/x"
        for wanting in (
            template(UrlInstall(local)),
            template(IsoInstall(local)),
            template(IsoInstall(WEB, Checksum("md5", "FILE:///srv/x"))),
            template(IsoInstall(WEB, None, (Extra(local, "x", False),))),
            template(file=local),
            template(command=local),
            template(before="file://localhost/srv/x"),
        ):
            with self.assertRaises(Forbidden) as caught:
                refuse_local_sources(wanting, (Path("/srv/y"), Path("/srv/xy")))
            self.assertIn("/srv/x", str(caught.exception))
            refuse_local_sources(wanting, (Path("/srv"),))

    def test_no_way_out_of_an_allowed_directory(self) -> None:
        """Dots are refused, written plainly or not."""
        for url in ("file:///srv/../etc/passwd", "file:///srv/%2e%2e/etc/passwd", "file:///srv/a%00b"):
            self.assertRaises(Forbidden, refuse_local_sources, template(file=url), (Path("/srv"),))

    def test_paths_of_urls(self) -> None:
        """Percent-decoded; None for what is not local."""
        self.assertEqual(local_path("file:///srv/a%20b"), Path("/srv/a b"))
        self.assertIsNone(local_path(WEB))
