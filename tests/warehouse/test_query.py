"""The query language against iwhd's truth table, and the index against evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from twisted.trial.unittest import SynchronousTestCase

from imagefactory.lib.database.sqlite import migrate
from imagefactory.lib.errors import InvalidInput
from imagefactory.warehouse.query import Equality, matches, parse, plan
from imagefactory.warehouse.store import objects, search
from imagefactory.warehouse.store.schema import WAREHOUSE

OBJECT = {"name": "x", "ten": "10", "zero": "0", "ref": "other/thing", "Upper-Case": "V", "_key": "k", "octal": "010"}
OTHER = {"colour": "red", "next": "other/last"}
LAST = {"colour": "blue"}


def resolve(bucket: str, key: str, name: str) -> str:
    """Two linked objects in bucket `other`."""
    objects = {"thing": OTHER, "last": LAST} if bucket == "other" else {}
    return objects.get(key, {}).get(name, "")


def selects(query: str, settings: Mapping[str, str] | None = None) -> bool:
    """Whether the query selects OBJECT."""
    return matches(parse(query), OBJECT, resolve, settings)


class TruthTests(SynchronousTestCase):
    """What matches."""

    def check(self, expected: bool, *queries: str) -> None:
        """All of these are (or are not) satisfied by OBJECT."""
        for query in queries:
            self.assertIs(selects(query), expected, query)

    def test_strings(self) -> None:
        """Strings compare by their bytes."""
        self.check(True, '$name == "x"', '"x" == $name', '$name != "y"', '$name < "y"', '$name>="x"', '"a" < "é"')
        self.check(False, '$name == "X"', '$name != "x"', '$name > "y"')

    def test_absent_is_the_empty_string(self) -> None:
        """An absent attribute equals "", 0, is below 5, differs from "x", and is not true."""
        self.check(True, '$no == ""', "$no == 0", "$no < 5", '$no != "x"', "!$no", '$zero == ""', '$no == "000"')
        self.check(False, "$no", "$no > 0", '$no == "x"')

    def test_numbers(self) -> None:
        """Digits on both sides compare as decimal numbers of any size."""
        self.check(True, "$ten == 10", '$ten == "010"', "$octal == 10", '$octal == "10"', "$ten > 9", '$ten > "9"')
        self.check(True, "4294967306 != 10", "99999999999999999999999 > 99999999999999999999998", "007 == 7")
        self.check(False, "4294967306 == 10", "$ten == 8", "$ten < 9")

    def test_number_and_text_is_an_error(self) -> None:
        """A number beside a text that is none matches nothing, negated or not."""
        self.check(False, "$name == 5", "!$name == 5", "$name != 5", "!($name != 5)")

    def test_same_rank_from_the_left(self) -> None:
        """`a || b && c` is `(a || b) && c`."""
        self.check(False, '$name == "x" || $name == "x" && $name == "y"')
        self.check(True, '$name == "x" || ($name == "x" && $name == "y")', '$name == "y" && 1 || 1')

    def test_negation(self) -> None:
        """`!` covers the comparison after it."""
        self.check(False, '!$name == "x"', "!$name")
        self.check(True, '!$name == "y"', "!($name && $no)")

    def test_truth_of_values(self) -> None:
        """Numbers are true unless 0, texts unless empty; dates and bare names never, not even negated."""
        self.check(True, "1", '"x"', "$name", '"0"', "$zero")
        self.check(
            False, "0", "00", '""', "~2011-01-01~", "!~2011-01-01~", "bare", "!bare", "~a~ == ~a~", "bare == bare"
        )

    def test_errors_pass_through(self) -> None:
        """false || error is an error, and so is its negation; a true left side decides."""
        self.check(False, "0 || bare", "!(0 || bare)", "bare && 1", "!(bare && 1)", "!(1 && bare)")
        self.check(True, "1 || bare", "!(0 && bare)")

    def test_groups_are_numbers(self) -> None:
        """A query in parentheses is 1 or 0."""
        self.check(True, '($name == "x") == 1', '($name == "y") == 0', "($name) == ($ten)", "($no) < ($name)")

    def test_links(self) -> None:
        """`$a.b` is attribute b of the object that a names; without a slash there is no match at all."""
        self.check(True, '$ref.colour == "red"', '$ref.next.colour == "blue"', '$ref.none == ""', "!$ref.none")
        self.check(False, '$name.colour == "red"', '$name.colour != "red"', '!$name.colour == "red"', "!$no.x")

    def test_settings_of_the_replication_target(self) -> None:
        """`#name` reads the target's settings, and is empty where there are none."""
        self.check(True, '#type == ""', "!#type")
        self.assertTrue(selects('#type == "s3" && $name == "x"', {"type": "s3"}))

    def test_names_and_blanks(self) -> None:
        """Names have upper case, digits and dashes; blanks mean nothing."""
        self.check(True, '$Upper-Case == "V"', '\t$ \n name\r==  "x"', '( ( $name=="x" ) )', '$_key == "k"')

    def test_syntax_errors(self) -> None:
        """What cannot be read is refused with the place."""
        texts = (
            "$n = 1",
            "$n == -1",
            '"open',
            "~open",
            "!!$x",
            "$a $b",
            "a.b == 1",
            "$a == 1 == 1",
            "$a & 1",
            "@x",
            "$1a",
        )
        for wrong in (*texts, "", "$", "(1", "1)", "&& 1", "1 &&", "é"):
            error = self.assertRaises(InvalidInput, parse, wrong)
            self.assertIn("character", error.problems[0].place)

    def test_hostile_size(self) -> None:
        """Deep nesting and endless text are refused, long chains are not a problem."""
        self.assertRaises(InvalidInput, parse, "(" * 10_000 + "1" + ")" * 10_000)
        self.assertRaises(InvalidInput, parse, "1 " * 100_000)
        self.assertTrue(selects(" && ".join(["1"] * 10_000)))
        self.assertTrue(selects("9" * 60_000 + " > $ten"))


class PlanTests(SynchronousTestCase):
    """What goes to the index."""

    def test_conjunction(self) -> None:
        """A conjunction of string equalities is answered by the index alone, with or without parentheses."""
        wanted = (Equality("build", "x"), Equality("target", "y"))
        for query in ('$build == "x" && $target == "y"', '("x" == $build && ($target == "y"))'):
            self.assertEqual((plan(parse(query)).equalities, plan(parse(query)).exact), (wanted, True))

    def test_narrowing(self) -> None:
        """Other conjuncts leave the equalities to narrow with."""
        for other in (
            "$n < 5",
            '$n == "10"',
            '$n == ""',
            '!$n == "x"',
            '$n.m == "x"',
            '$_key == "x"',
            '(1 || $n == "x")',
        ):
            found = plan(parse(f'$build == "x" && {other}'))
            self.assertEqual((found.equalities, found.exact), ((Equality("build", "x"),), False), other)

    def test_alternatives_are_evaluated(self) -> None:
        """With `||` at the top nothing can be narrowed."""
        for query in ('$a == "x" || $b == "y"', '$a == "x" && $b == "y" || 1', '($a == "x" || 1)', "$a"):
            self.assertEqual(plan(parse(query)).equalities, (), query)


VALUES = st.sampled_from(["", "0", "1", "01", "10", "x", "y", "X", "b/k0", "b/k1", "é", "1x"])
NAMES = st.sampled_from(["a", "b", "c", "_key", "_etag", "_size"])
ATOMS = st.one_of(
    NAMES.map("${}".format),
    st.tuples(NAMES, NAMES).map(lambda pair: f"${pair[0]}.{pair[1]}"),
    VALUES.map('"{}"'.format),
    st.sampled_from(["0", "1", "10", "bare", "~d~", "#n"]),
)
OPERATORS = st.sampled_from(["==", "==", "==", "!=", "<", "<=", ">", ">="])
EQUALITIES = st.tuples(NAMES, VALUES).map(lambda pair: f'${pair[0]} == "{pair[1]}"')
COMPARISONS = st.one_of(EQUALITIES, ATOMS, st.tuples(ATOMS, OPERATORS, ATOMS).map(" ".join))


def chains(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Queries out of parts, some negated, some in parentheses."""
    unary = st.tuples(st.sampled_from(["", "", "", "!"]), parts).map("".join)
    more = st.lists(st.tuples(st.sampled_from([" && ", " && ", " || "]), unary).map("".join), max_size=3)
    return st.tuples(unary, more).map(lambda pair: pair[0] + "".join(pair[1]))


QUERIES = st.recursive(
    chains(COMPARISONS), lambda inner: chains(st.one_of(COMPARISONS, inner.map("({})".format))), max_leaves=6
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3), max_size=5)


class IndexTests(SynchronousTestCase):
    """The database finds what evaluation finds."""

    @settings(deadline=None, max_examples=150)
    @given(QUERIES, OBJECTS)
    @example('$a == "x" && $b == "y" && $c != "z"', [{"a": "x", "b": "y"}, {"a": "x"}])
    def test_same_answer(self, query: str, attributes: list[dict[str, str]]) -> None:
        """Whatever the query and the objects: compiled and evaluated answers are equal."""
        engine = create_engine("sqlite://")
        self.addCleanup(engine.dispose)
        rows = {f"k{number}": values for number, values in enumerate(attributes)}

        def read(bucket: str, key: str, name: str) -> str:
            seen = {**rows.get(key, {}), "_key": key, "_bucket": "b", "_etag": ""}
            return seen.get(name, "") if bucket == "b" and key in rows else ""

        with engine.begin() as connection:
            migrate(connection, Path(), WAREHOUSE)
            objects.create_bucket(connection, "b")
            for key, values in rows.items():
                objects.set_attributes(connection, objects.obtain(connection, "b", key, 0).id, dict(values))
            found = search.query(connection, "b", query)
        seen = [(key, {**values, "_key": key, "_bucket": "b", "_etag": ""}) for key, values in rows.items()]
        self.assertEqual(found, [key for key, values in seen if matches(parse(query), values, read)])
