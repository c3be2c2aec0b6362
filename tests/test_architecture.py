"""The rules of the design that a program can check: which package may import which, and where a reactor may be seen."""

import ast
import importlib
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Set
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parent.parent / "imagefactory"

#: From the bottom up: a package imports packages of lower floors, itself, and nothing else of ours.
FLOORS = (
    ("lib",),
    ("model",),
    ("settings",),
    ("warehouse", "systems"),
    ("templates", "targets"),
    ("build", "push"),
    ("jobs",),
    ("rest", "service"),
    ("app",),
    ("cli", "tap", "tap_warehouse"),
)
FLOOR_OF = {package: floor for floor, packages in enumerate(FLOORS) for package in packages}
#: The floors inside of large packages, likewise.
INNER_FLOORS = {
    "lib": (
        ("errors", "secret", "sizes", "twisted_private"),
        ("concurrency", "files", "runtime"),
        ("process", "oauth", "database", "tls", "plugins"),
        ("http",),
    ),
    "systems": (("disk", "guests", "qemu"), ("families",), ("engines", "stages")),
    "jobs": (
        ("interface",),
        ("store",),
        ("state",),
        ("execution",),
        ("admission", "recovery", "retention"),
        ("provider_jobs",),
        ("service", "inventory"),
    ),
    "rest": (
        ("interface", "client_address", "reply", "stream", "health", "detached_work", "metrics"),
        ("errors", "request_source"),
        ("call", "limits"),
        ("authentication", "route_table"),
        ("oauth", "large_bodies", "mounts"),
        ("router", "v1"),
        ("site",),
    ),
}
SIBLINGS_APART = (("systems", "families"), ("targets",), ("systems", "engines"))
SHARED_BY_PLUGINS = {"interface", "descriptor", "images", "providers", "registry", "resources", "systemd", "causes"}
SEES_A_REACTOR = {"app", "cli", "tap", "tap_warehouse"}
#: The names of clouds, and what begins with one.
CLOUD = re.compile(r"(?<![A-Za-z])(ec2|rhevm|vsphere|condorcloud|rackspace|openstack|mock)(?![a-z])")
#: Modules that name clouds all the same: the settings' keys and texts are those of version 1.0, as is a description.
NAMES_CLOUDS = {"settings/table.py", "settings/manual.py", "rest/v1/schemas.py", "rest/v1/images.py"}
#: The one place for what Twisted does not show.
TWISTED_PRIVATE = "lib/twisted_private"
#: Modules that touch files; their functions are called in a thread, or before and after the reactor runs. Reading
#: /proc waits for no disk, and starting a program touches the file system anyway.
TOUCHES_FILES = {
    "app/arguments.py",
    "app/clients.py",
    "app/clouds.py",
    "app/runtime.py",
    "build/cache/cache.py",
    "build/cache/directory.py",
    "build/cache/kept_trees.py",
    "build/pending_uploads.py",
    "cli/local.py",
    "cli/serving.py",
    "cli/streams.py",
    "lib/database/sqlite.py",
    "lib/files/content.py",
    "lib/files/daily.py",
    "lib/files/durable.py",
    "lib/files/holes.py",
    "lib/files/locks.py",
    "lib/files/space.py",
    "lib/oauth/memory.py",
    "lib/process/journal.py",
    "lib/process/layers.py",
    "lib/process/privilege.py",
    "lib/process/proc.py",
    "lib/process/reap.py",
    "lib/process/supervise.py",
    "lib/process/tools.py",
    "lib/process/trees.py",
    "lib/process/workspaces.py",
    "lib/tls/client.py",
    "lib/tls/host_names.py",
    "lib/tls/identity.py",
    "model/schema.py",
    "service/instance.py",
    "service/logs.py",
    "service/pidfile.py",
    "settings/jsonfile.py",
    "systems/disk/assemble.py",
    "systems/disk/copies.py",
    "systems/disk/grub.py",
    "systems/disk/vmdk.py",
    "systems/engines/bootstrap/engine.py",
    "systems/engines/bootstrap/hosts.py",
    "systems/engines/bootstrap/keys.py",
    "systems/qemu/accel.py",
    "systems/qemu/machine.py",
    "systems/stages/trees.py",
    "targets/condorcloud.py",
    "targets/mock.py",
    "templates/resolve.py",
    "warehouse/client/download.py",
    "warehouse/client/ours.py",
    "warehouse/client/sending.py",
    "warehouse/copies.py",
    "warehouse/server/users.py",
    "warehouse/store/database.py",
    "warehouse/store/directory.py",
    "warehouse/store/embedded.py",
    "warehouse/store/incoming.py",
    "warehouse/store/local.py",
    "warehouse/store/reserve.py",
}
#: Calls that touch the file system: functions of os, methods of Path (without those that other classes have, too).
FILE_FUNCTIONS = re.compile(
    r"(open|os\.(open|l?stat|listdir|scandir|mkdir|makedirs|remove|unlink|rename|replace|link|symlink|chmod|chown|fsync"
    r"|f?truncate|p?read|p?write|statvfs|access|utime|walk|rmdir|readlink|posix_fallocate|copy_file_range)|shutil\.\w+)"
)
FILE_METHODS = re.compile(
    "(read|write)_(text|bytes)|exists|is_(file|dir|symlink)|l?stat|unlink|mkdir|rmdir|touch|chmod|iterdir|r?glob"
    "|symlink_to|hardlink_to|readlink|resolve|samefile"
)
LARGEST_FILE = 300
#: Twisted looks for this name in a module that a plug-in of twist names.
ASKED_FOR_BY_TWISTED = {"Options"}
#: Give Twisted the clock of the reactor for which they stand; watch a reactor from a thread.
OWN_TIME = {"lib/http/connecting.py", "testing/turns.py"}
TABLES = {"settings/table.py"}  # one declaration after the other, nothing to divide


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """All modules of the package with their syntax trees."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(), str(path))


def package_of(path: Path) -> str:
    """The top-level package or module of a file ("model", "cli", ...)."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything imported, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_name(path: Path) -> str:
    """The dotted name of a file."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def import_targets(tree: ast.Module, known: Set[str]) -> set[str]:
    """The known modules that are imported when this one is, or for its types."""
    statements = [node for node in run_by_importing(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = set(imports(ast.Module(statements, [])))
    return {name if name in known else name.rpartition(".")[0] for name in names} & known


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that all reach each other."""
    after = {name: reached(graph, name) for name in graph}
    groups = {tuple(sorted(other for other in after[name] if name in after[other])) for name in graph}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def reached(graph: dict[str, set[str]], start: str) -> set[str]:
    """What is imported by way of `start`."""
    found: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - found
        found |= new
        left += new
    return found


def run_by_importing(node: ast.AST) -> Iterator[ast.AST]:
    """What is run when a module is imported: all but what stands in functions."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from run_by_importing(child)


def waits_without_clock(tree: ast.Module) -> Iterator[int]:
    """Lines that wait or plan a call, except on what is called a clock or by a channel on itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {"callLater", "sleep"}:
            owner = ast.unparse(node.value).rpartition(".")[2]
            if owner not in {"clock", "_clock"} and (owner, node.attr) != ("self", "callLater"):
                yield node.lineno


def sees_reactor_early(tree: ast.Module) -> bool:
    """Whether to import it is to import the reactor, under an `if` or in a class, too."""
    nodes = [node for node in run_by_importing(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = imports(ast.Module(body=list(nodes), type_ignores=[]))
    return any(name.startswith("twisted.internet.reactor") for name in names)


def ours(name: str) -> tuple[str, ...]:
    """The parts below `imagefactory` of an imported name; empty for what is not ours."""
    parts = name.split(".")
    return tuple(parts[1:]) if parts[0] == "imagefactory" else ()


def literals(tree: ast.Module) -> Iterator[str]:
    """All texts in a module's code; an expression that is nothing but a text is documentation."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def private_of_twisted(file: str, node: ast.ClassDef) -> set[str]:
    """What the classes of Twisted that a class of ours inherits from keep for themselves."""
    dotted = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    here = getattr(importlib.import_module(f"imagefactory.{dotted}"), node.name, None)
    bases = here.__mro__ if isinstance(here, type) else ()
    return {name for base in bases if base.__module__.startswith("twisted.") for name in private_of(base)}


@cache
def private_of(base: type) -> frozenset[str]:
    """The names with an underscore that a class uses; its logger is one that others have, too."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
    names = [one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)] + list(vars(base))
    return frozenset(name for name in names if re.match("_[^_]", name)) - {"_log"}


def touches_files(tree: ast.Module) -> list[str]:
    """The calls in a module that touch the file system."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [ast.unparse(function) for function in calls if isinstance(function, ast.Name | ast.Attribute)]
    return [one for one in found if FILE_FUNCTIONS.fullmatch(one) or _is_of_a_path(one)]


def _is_of_a_path(call: str) -> bool:
    receiver, _, name = call.rpartition(".")
    return bool(FILE_METHODS.fullmatch(name)) and receiver not in {"self", "super()", "", "os", "shutil"}


def swallowing(function: ast.AsyncFunctionDef) -> Iterator[int]:
    """The lines of broad clauses around an await, without one for CancelledError before."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Try):
            continue
        waits = any(isinstance(one, ast.Await) for part in node.body for one in ast.walk(part))
        known: set[str] = set()
        for handler in node.handlers:
            caught = {one.id for one in ast.walk(handler.type) if isinstance(one, ast.Name)} if handler.type else set()
            known |= caught
            if waits and "Exception" in caught and "CancelledError" not in known:
                yield handler.lineno


class ArchitectureTests(SynchronousTestCase):
    """Arrows point one way."""

    def test_no_package_imports_a_higher_floor(self) -> None:
        """Each import of ours goes to the same package or to a lower floor."""
        wrong = []
        for path, tree in modules():
            package = package_of(path)
            if package not in FLOOR_OF:
                continue
            for name in imports(tree):
                other = (ours(name) or ("",))[0]
                if other == "testing" or (
                    other in FLOOR_OF and other != package and FLOOR_OF[other] >= FLOOR_OF[package]
                ):
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
        self.assertEqual(wrong, [])

    def test_no_modules_import_each_other(self) -> None:
        """Neither directly nor in a circle, also not for types only: each can be read before those that import it."""
        every = {module_name(path): tree for path, tree in modules()}
        graph = {name: import_targets(tree, every.keys()) for name, tree in every.items()}
        self.assertEqual(circles(graph), [])
        self.assertEqual(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}), [["b", "c"]])

    def test_every_package_has_a_floor(self) -> None:
        """A new top-level package is given a place in the order before it is used."""
        packages = {package_of(path) for path, _ in modules()} - {"__init__", "__main__", "testing"}
        self.assertEqual(packages - FLOOR_OF.keys(), set())

    def test_inner_floors(self) -> None:
        """Inside of a large package arrows point one way, too."""
        wrong = []
        for path, tree in modules():
            package, *inside = (part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts)
            if package not in INNER_FLOORS or inside == ["__init__"]:
                continue
            floors = {name: floor for floor, names in enumerate(INNER_FLOORS[package]) for name in names}
            self.assertIn(inside[0], floors, f"{package}/{inside[0]} has no floor")
            for name in imports(tree):
                theirs = ours(name)
                if len(theirs) < 2 or theirs[0] != package or theirs[1] == inside[0]:
                    continue
                if floors[theirs[1]] >= floors[inside[0]] and theirs[1] != inside[0]:
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
        self.assertEqual(wrong, [])

    def test_siblings_do_not_know_each_other(self) -> None:
        """families/x never imports families/y, and likewise targets and engines."""
        wrong = []
        for path, tree in modules():
            parts = tuple(part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts)
            for package in SIBLINGS_APART:
                depth = len(package)
                if parts[:depth] != package or parts[depth] in {*SHARED_BY_PLUGINS, "__init__"}:
                    continue
                for name in imports(tree):
                    theirs = ours(name)
                    if (
                        theirs[:depth] == package
                        and len(theirs) > depth
                        and theirs[depth] not in {parts[depth], *SHARED_BY_PLUGINS}
                    ):
                        wrong.append(f"{'/'.join(parts)} imports {name}")
        self.assertEqual(wrong, [])

    def test_only_the_rim_sees_a_reactor(self) -> None:
        """No module but app, cli and tap imports a reactor."""
        wrong = [
            f"{path.relative_to(PACKAGE)} imports {name}"
            for path, tree in modules()
            if package_of(path) not in SEES_A_REACTOR
            for name in imports(tree)
            if name.startswith("twisted.internet.reactor")
        ]
        self.assertEqual(wrong, [])

    def test_no_reactor_is_installed_by_importing_a_module(self) -> None:
        """Not even the rim imports the reactor at module level, where it would be installed too early."""
        wrong = [str(path.relative_to(PACKAGE)) for path, tree in modules() if sees_reactor_early(tree)]
        self.assertEqual(wrong, [])

    def test_no_spelling_hides_a_reactor(self) -> None:
        """The check above sees every way to import one, and leaves functions alone."""
        for text in (
            "import twisted.internet.reactor",
            "from twisted.internet import reactor as r",
            "if True:\n    from twisted.internet import reactor",
            "class A:\n    try:\n        import twisted.internet.reactor\n    finally:\n        pass",
        ):
            self.assertTrue(sees_reactor_early(ast.parse(text)), text)
        self.assertFalse(sees_reactor_early(ast.parse("def f():\n    from twisted.internet import reactor")))

    def test_imports_are_absolute(self) -> None:
        """A relative one says nothing of its package, and the checks above would not see it."""
        wrong = [
            str(path.relative_to(PACKAGE))
            for path, tree in modules()
            if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
        ]
        self.assertEqual(wrong, [])

    def test_clouds_are_named_by_their_modules_alone(self) -> None:
        """Their names, those of their providers, credentials and definitions: another package's cloud has its own."""
        wrong = []
        for path, tree in modules():
            name = str(path.relative_to(PACKAGE))
            if path.parent.name == "targets" or name in NAMES_CLOUDS or package_of(path) == "testing":
                continue
            wrong += [f"{name} has {text!r}" for text in literals(tree) if CLOUD.search(text)]
        self.assertEqual(wrong, [])

    def test_what_names_a_cloud(self) -> None:
        """The check above sees texts, and leaves documentation alone."""
        self.assertEqual(
            list(literals(ast.parse("""def f():\n 'ec2 in a docstring'\n return 'ec2' + g(b'mock')"""))), ["ec2"]
        )
        for text in ("ec2", "ec2-us-east-1", "rhevm.json", "mock_credentials", "openstack-kvm"):
            self.assertTrue(CLOUD.search(text), text)
        self.assertFalse(CLOUD.search("mocking"))

    def test_files_stay_small(self) -> None:
        """A file over 300 lines has a second job."""
        large = [
            name
            for path, _ in modules()
            if (name := str(path.relative_to(PACKAGE))) not in TABLES
            and len(path.read_text().splitlines()) > LARGEST_FILE
        ]
        self.assertEqual(large, [])

    def test_a_class_name_stands_for_one_thing(self) -> None:
        """To grep for a class leads to one place."""
        names = Counter(node.name for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
        twice = {name for name, count in names.items() if count > 1}
        self.assertEqual(twice - ASKED_FOR_BY_TWISTED, set())

    def test_private_names_of_twisted_are_in_one_place(self) -> None:
        """No other module imports one, or touches an attribute that a class of Twisted keeps for itself."""
        wrong = []
        for path, tree in modules():
            name = str(path.relative_to(PACKAGE))
            if name.startswith(TWISTED_PRIVATE):
                continue
            wrong += [f"{name} imports {one}" for one in imports(tree) if re.match(r"twisted\..*\b_", one)]
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and (private := private_of_twisted(name, node)):
                    used = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
                    wrong += [f"{name} touches {node.name}.{one}" for one in sorted(used & private)]
        self.assertEqual(wrong, [])

    def test_time_is_asked_of_a_clock(self) -> None:
        """What waits is given a `Clock`, which tests advance; a channel of Twisted's has that of its site."""
        wrong = []
        for path, tree in modules():
            name = str(path.relative_to(PACKAGE))
            if name not in OWN_TIME:
                wrong += [f"{name}:{line}" for line in waits_without_clock(tree)]
        self.assertEqual(wrong, [])
        for text, found in (("self._clock.callLater(1)", 0), ("reactor.callLater(1)", 1), ("time.sleep(1)", 1)):
            self.assertEqual(len(list(waits_without_clock(ast.parse(text)))), found, text)

    def test_cancellation_is_never_swallowed(self) -> None:
        """CancelledError is an Exception: a broad clause around an await comes after one for it, or names it."""
        wrong = []
        for path, tree in modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.AsyncFunctionDef):
                    wrong += [f"{path.relative_to(PACKAGE)}:{line}" for line in swallowing(node)]
        self.assertEqual(wrong, [])
        text = "async def f():\n try:\n  await g()\n except {}:\n  pass"
        for clause, found in (("Exception", 1), ("(CancelledError, Exception)", 0), ("ValueError", 0)):
            (function,) = ast.parse(text.format(clause)).body
            assert isinstance(function, ast.AsyncFunctionDef)
            self.assertEqual(len(list(swallowing(function))), found, clause)

    def test_files_are_touched_in_known_modules_only(self) -> None:
        """A disk may hang: what waits for one is in a module that was looked at for where it is called from."""
        found = {
            name: calls
            for path, tree in modules()
            if (name := str(path.relative_to(PACKAGE))) not in TOUCHES_FILES and not name.startswith("testing/")
            if (calls := touches_files(tree))
        }
        self.assertEqual(found, {})
        for text, calls in (
            ("open(x)", 1),
            ("a.b.read_text()", 1),
            ("os.fsync(f)", 1),
            ("self.exists()", 0),
            ("f()", 0),
        ):
            self.assertEqual(len(touches_files(ast.parse(text))), calls, text)

    def test_known_modules_do_touch_files(self) -> None:
        """One that no longer does is taken off the list."""
        idle = {name for name in TOUCHES_FILES if not touches_files(ast.parse((PACKAGE / name).read_text()))}
        self.assertEqual(idle, set())
