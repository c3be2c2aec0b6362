"""Builds against what others need for the same system, from the same mirror."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imagefactory.engines.bootstrap.mirrors import INDEXTARGETS, host_mirror
from imagefactory.families.debian import sources
from imagefactory.families.interface import Bootstrap
from imagefactory.families.registry import find
from imagefactory.model.tdl import parse_template
from scripts.benchmarks.peers import PEERS, Work, attempt, customise
from scripts.benchmarks.tables import megabytes, progress, ratio, show
from scripts.benchmarks.timing import Cost, Failed, must, program, run

TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "debian-12.tdl"
PLACEHOLDER = "http://mirror.example/debian"
AGENT = "qemu-guest-agent"  # what the target rhevm adds
ONE_MORE = "tree"
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table; `error` instead of a cost if it could not be measured."""

    name: str
    cost: Cost | None
    reference: Cost | None
    aim: str = ""
    error: str = ""


def measure(directory: Path, *, install: bool) -> None:
    """Measure and print."""
    work = _work(directory)
    bare = _best("bare mmdebstrap", lambda: _in_new(work, _mmdebstrap))
    old = _best("bare debootstrap", lambda: _in_new(work, _debootstrap), rounds=1)
    cold, edit, lines = _ours(work, bare)
    customised = attempt("virt-customize", customise, work, install=install)
    rows = [
        Measured("bare mmdebstrap, no image", bare, bare),
        Measured("bare debootstrap, no image", old, bare),
        *lines,
        Measured("virt-customize: one package, image finished before", *_tried(customised, edit)),
    ]
    for name, peer in PEERS.items():
        rows.append(Measured(name, *_tried(attempt(name, peer, work, install=install), cold)))
    _show(rows)


def _ours(work: Work, bare: Cost) -> tuple[Cost, Cost, list[Measured]]:
    edited = work.directory / "edited.tdl"
    mark = '<package name="less"/>'
    edited.write_text(TEMPLATE.read_text().replace(mark, f'{mark}<package name="{ONE_MORE}"/>'))
    cold = _best("cold build", lambda: _cold(work, "rhevm"))
    same = _best("warm, same template", lambda: _factory(work, TEMPLATE, "rhevm"))
    edit = _best("warm, one package more", lambda: _factory(work, edited, "rhevm"), rounds=1)
    work.keep_image()
    three = _best("three targets", lambda: _cold(work, "rhevm", "vsphere", "ec2"))
    return cold, edit, [
        Measured("cold build, rhevm", cold, bare, "<= 1.50 x mmdebstrap"),
        Measured("cold build, three targets", three, cold, "<= 1.25 x one"),
        Measured("warm, same template", same, cold, "<= 0.05 x cold"),
        Measured("warm, one package more", edit, cold, "<= 0.30 x cold"),
    ]  # fmt: skip


def _work(directory: Path) -> Work:
    template = parse_template(TEMPLATE.read_bytes())
    family, release = find(template.os)
    targets = subprocess.run(INDEXTARGETS, capture_output=True, text=True, check=True).stdout
    mirror = host_mirror(targets, release, PLACEHOLDER)
    bootstrap = family.bootstrap(template, release, mirror)
    packages = (*bootstrap.packages, *template.packages, AGENT)
    config = {
        "state_dir": str(directory / "state"),
        "imgdir": str(directory / "images"),
        "mirrors": {PLACEHOLDER: "apt:"},
    }
    (directory / "factory.conf").write_text(json.dumps(config))
    return Work(directory, mirror, release.codename, packages, _entries(bootstrap))


def _entries(bootstrap: Bootstrap) -> str:
    return sources.entries(bootstrap.sources, f"[signed-by={bootstrap.keyrings[0]}]")


def _best(name: str, measured: Callable[[], Cost], *, rounds: int = ROUNDS) -> Cost:
    """The run of several that was least disturbed."""
    costs = []
    for turn in range(rounds):
        progress(f"{name} ({turn + 1} of {rounds})")
        costs.append(must(measured()))
    return min(costs, key=lambda cost: cost.wall)


def _in_new(work: Work, measured: Callable[[Work, Path], Cost]) -> Cost:
    tree = work.directory / "tree"
    try:
        return measured(work, tree)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _mmdebstrap(work: Work, tree: Path) -> Cost:
    packages = ",".join(work.packages)
    argv = ("mmdebstrap", "--variant=apt", f"--include={packages}", work.release, tree, "-")
    return run(*argv, directory=work.directory, stdin=work.sources.encode(), apart=True)


def _debootstrap(work: Work, tree: Path) -> Cost:
    packages = ",".join(work.packages)
    argv = ("debootstrap", "--variant=minbase", f"--include={packages}", work.release, tree, work.mirror)
    return run(*argv, directory=work.directory, apart=True)


def _cold(work: Work, *targets: str) -> Cost:
    for name in ("state", "images"):
        shutil.rmtree(work.directory / name, ignore_errors=True)
        (work.directory / name).mkdir()
    return _factory(work, TEMPLATE, *targets)


def _factory(work: Work, template: Path, *targets: str) -> Cost:
    asked = [word for target in targets for word in ("--target", target)]
    argv = (program("imagefactory"), "--config", work.directory / "factory.conf", *asked, "--template", template)
    return run(*argv, directory=work.directory)


def _tried(result: Cost | Failed, reference: Cost) -> tuple[Cost | None, Cost, str, str]:
    return (None, reference, "", str(result)) if isinstance(result, Failed) else (result, reference, "", "")


def _show(rows: list[Measured]) -> None:
    head = ("", "wall", "processor", "times", "of", "our memory", "aim")
    names = {id(row.cost): row.name.partition(",")[0] for row in reversed(rows) if row.cost}
    lines = []
    for row in rows:
        if row.cost is None or row.reference is None:
            continue
        ours = megabytes(row.cost.memory) if row.name.startswith(("cold", "warm")) else ""
        times = ratio(row.cost.wall, row.reference.wall)
        of = names.get(id(row.reference), "")
        lines.append((row.name, f"{row.cost.wall:.1f} s", f"{row.cost.cpu:.1f} s", times, of, ours, row.aim))
    show("Builds (Debian 12, the same packages everywhere)", head, lines)
    for row in rows:
        if row.error:
            print(f"- {row.name} cannot run here: `{row.error}`")
