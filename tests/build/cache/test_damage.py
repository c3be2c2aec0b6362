"""Entries that are not as they were made."""

from imagefactory.build.cache.keys import stage_key
from tests.build.cache.cases import BASE, CacheCase, Maker, Notes


class DamageTests(CacheCase):
    """What is not as it was made is made again."""

    def damaged(self, part: str, data: bytes | None) -> tuple[Maker, Notes]:
        """Obtain, damage one file of the entry, obtain again."""
        entry = self.obtained(BASE)
        self.cache.release(entry)
        path = entry.path.parent / part
        path.chmod(0o644)
        path.unlink() if data is None else path.write_bytes(data)
        maker, notes = Maker(), Notes()
        self.assertEqual(self.obtained(BASE, maker, notes).path.read_bytes(), b"result")
        self.assertEqual(self.leftovers(), [])
        return maker, notes

    def test_changed_content(self) -> None:
        """The same size, another byte: it is noticed, told, removed and made again."""
        maker, notes = self.damaged("body", b"resulT")
        self.assertEqual(maker.runs, 1)
        self.assertIn("damaged (the content of its body has changed)", notes.lines[0])
        self.assertEqual(len(self.flushWarnings()), 0)

    def test_every_other_damage(self) -> None:
        """Shorter, gone, sidecar rubbish, sidecar gone, sidecar with other facts."""
        for part, data in (("body", b"res"), ("body", None), ("entry.json", b"{}"), ("entry.json", None)):
            maker, _ = self.damaged(part, data)
            self.assertEqual(maker.runs, 1, (part, data))

    def test_changed_facts(self) -> None:
        """Facts are believed by those who get them, so they are checked as well."""
        entry = self.obtained(BASE)
        card = (entry.path.parent / "entry.json").read_bytes()
        self.cache.release(entry)
        maker, _ = self.damaged("entry.json", card.replace(b"vmlinuz", b"vmlinux"))
        self.assertEqual(maker.runs, 1)

    def test_a_damaged_neighbour_does_not_hinder(self) -> None:
        """An unreadable sidecar is passed over when a miss is explained."""
        (self.obtained(BASE).path.parent / "entry.json").write_bytes(b"\xff")
        self.assertEqual(self.cache.look(stage_key("base", {})).changed, ())
