"""The target in the guide to plug-ins works as it stands there."""

import re
from pathlib import Path
from typing import Any

from imagefactory.lib.errors import InvalidInput
from imagefactory.lib.secret import Secret
from imagefactory.model.credentials import Credentials
from imagefactory.model.providers import Provider
from imagefactory.targets.descriptor import TargetContext, TargetDescriptor
from imagefactory.targets.interface import Target
from imagefactory.testing.targets import LocalPushContract, TargetContract, installed

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "target-plugins.md"


def descriptor() -> TargetDescriptor:
    """The one in the guide."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    module: dict[str, Any] = {"__name__": "shelf"}
    exec(compile(code, str(GUIDE), "exec"), module)
    found: TargetDescriptor = module["TARGET"]
    return found


class GuideTests(LocalPushContract):
    """The example keeps the contract of targets that push to a directory."""

    name = "shelf"
    credentials = Credentials("shelf_credentials", {"owner": Secret("me")})

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def make(self, context: TargetContext) -> Target:
        return descriptor().make(context)

    def settings(self) -> dict[str, Any]:
        return {}

    def provider(self) -> Provider:
        return Provider("shelf-a", "shelf", {"path": str(self.directory)})

    def there(self) -> list[Path]:
        return list(self.directory.iterdir())

    def test_it_is_registered_by_an_entry_point(self) -> None:
        """With a limit of its own; without credentials a push is refused."""
        targets = installed(descriptor())
        self.assertEqual((targets.names(), targets.concurrency("shelf")), (("shelf",), 2))
        self.assertRaises(InvalidInput, self.pushing().account, None, self.provider())


del LocalPushContract, TargetContract
