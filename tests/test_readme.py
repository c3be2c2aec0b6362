"""What the README and the manual of the API tell people to type."""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from imagefactory.rest.v1.paths import ROOT
from imagefactory.rest.v1.routes import ROUTES
from imagefactory.settings.option_list import OPTIONS

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text("utf-8")
MANUAL = (TOP / "docs" / "man" / "imagefactory.rest.7").read_text("utf-8").replace("\\-", "-")


class ReadmeTests(SynchronousTestCase):
    """Commands are those that there are."""

    def test_options(self) -> None:
        """Every option after `imagefactory` is in the table, and every file of the examples is there."""
        known = {declared.option.flag for declared in OPTIONS} | {"--help", "--version"}
        for text in (README, MANUAL):
            commands = re.findall(r"^(?: {4})?imagefactory (--.*?)(?:#.*)?$", text, re.MULTILINE)
            used = {flag for command in commands for flag in re.findall(r"(?<!\S)--[a-z_-]+", command)}
            self.assertTrue(used)
            self.assertEqual(used - known, set())
            for name in re.findall(r"examples/[\w.-]+", text):
                self.assertTrue((TOP / name).is_file(), name)

    def test_addresses(self) -> None:
        """Every request of curl has a route, a method and query parameters that there are."""
        routes = [(route, re.compile(re.sub(r"{\w+}", "[^/]+", route.path))) for route in ROUTES]
        for text in (README, MANUAL):
            requests = re.findall(r'^(?: {4})?curl ((?:-X (?:\w+) )?.*?"?)\$URL(/[^\s"]*)(.*)$', text, re.MULTILINE)
            self.assertGreater(len(requests), 5)
            for before, address, after in requests:
                sends = "POST" if re.search(r"(?<!\S)(-d|--data)", after) else "GET"
                method = next(iter(re.findall(r"-X (\w+)", before)), sends)
                path, _, query = (ROOT + address).partition("?")
                fitting = [route for route, pattern in routes if route.method == method and pattern.fullmatch(path)]
                self.assertTrue(fitting, (method, path))
                names = {pair.partition("=")[0] for pair in query.split("&") if pair}
                self.assertEqual(names - {each.name for each in fitting[0].query}, set(), address)
