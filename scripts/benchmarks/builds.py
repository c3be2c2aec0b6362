"""Builds against what others need for the same system, from the same mirror."""

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from imagefactory.model.tdl import parse_template
from imagefactory.systems.engines.bootstrap.mirrors import INDEXTARGETS, host_mirror
from imagefactory.systems.families.debian import sources
from imagefactory.systems.families.interface import Bootstrap
from imagefactory.systems.families.registry import find
from scripts.benchmarks.peers import PEERS, Work, attempt, customise
from scripts.benchmarks.timing import Cost, Failed, program, run
from scripts.benchmarks.trials import Trial, Trials

TEMPLATE = Path(__file__).resolve().parents[2] / "examples" / "debian-12.tdl"
PLACEHOLDER = "http://mirror.example/debian"
AGENT = "qemu-guest-agent"  # what the target rhevm adds
ONE_MORE = "tree"
FIRST = '<package name="less"/>'
THREE = ("rhevm", "vsphere", "ec2")
ROUNDS = 2


BARE, OLD = "bare mmdebstrap, no image", "bare debootstrap, no image"
COLD, EDIT = "cold build, rhevm", "warm, one package more"
SMALL, LARGE = "<size>2G</size>", "<size>60G</size>"
FILL = '<command name="fill">head -c 2G /dev/urandom > /var/fill</command>'  # no packer makes that smaller


def measure(directory: Path, *, install: bool) -> None:
    """Measure and print; what was measured is shown even if the run is ended early."""
    work = _work(directory)
    trials = Trials("Builds (Debian 12, the same packages everywhere)")
    try:
        _bare(work, trials, install=install)
        _ours(work, trials)
        _peers(work, trials, install=install)
    finally:
        trials.show()


def _bare(work: Work, trials: Trials, *, install: bool) -> None:
    trials.measure(Trial(BARE, BARE), lambda: attempt(BARE, _mmdebstrap, work, install=install), rounds=ROUNDS)
    trials.measure(Trial(OLD, BARE), lambda: attempt(OLD, _debootstrap, work, install=install))


def _ours(work: Work, trials: Trials) -> None:
    edited = _variant(work, "edited", (FIRST, f'{FIRST}<package name="{ONE_MORE}"/>'))
    large = _variant(work, "large", (SMALL, LARGE), ("</commands>", f"{FILL}</commands>"))

    def trial(name: str, of: str, aim: str, build: Callable[[], Cost], rounds: int = 1) -> None:
        once = partial(attempt, name, lambda *_: build(), work, install=False)
        trials.measure(Trial(name, of, aim, ours=True), once, rounds=rounds)

    trial(COLD, BARE, "<= 1.50 x mmdebstrap", lambda: _cold(work, "rhevm"), ROUNDS)
    trial("warm, same template", COLD, "<= 0.05 x cold", lambda: _factory(work, TEMPLATE, "rhevm"), ROUNDS)
    trial(EDIT, COLD, "<= 0.25 x cold", lambda: _factory(work, edited, "rhevm"))
    with suppress(Failed):  # there is none if nothing could be built
        work.keep_image()
    trial("cold build, three targets", COLD, "<= 1.30 x one", lambda: _cold(work, *THREE), ROUNDS)
    name = "three targets, 60 GiB disk with 2 GiB more data"
    trial(name, COLD, "< 150 MB of memory", lambda: _factory(work, large, *THREE))


def _peers(work: Work, trials: Trials, *, install: bool) -> None:
    trial = Trial("virt-customize: one package, image finished before", EDIT)
    trials.measure(trial, lambda: attempt("virt-customize", customise, work, install=install))
    for name, peer in PEERS.items():
        trials.measure(Trial(name, COLD), partial(attempt, name, peer, work, install=install))


def _variant(work: Work, name: str, *changes: tuple[str, str]) -> Path:
    """The example with some of its text replaced."""
    text = TEMPLATE.read_text()
    for old, new in changes:
        if old not in text:
            raise Failed(f"{TEMPLATE.name} has no {old} any more: what is measured has to follow it")
        text = text.replace(old, new)
    path = work.directory / f"{name}.tdl"
    path.write_text(text)
    return path


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
    return sources.entries(bootstrap.sources, f"[signed-by={bootstrap.keyrings[-1]}]")


def _mmdebstrap(work: Work, place: Path) -> Cost:
    packages = ",".join(work.packages)
    argv = ("mmdebstrap", "--variant=apt", f"--include={packages}", work.release, place / "tree", "-")
    return run(*argv, directory=place, stdin=work.sources.encode(), apart=True)


def _debootstrap(work: Work, place: Path) -> Cost:
    packages = ",".join(work.packages)
    argv = ("debootstrap", "--variant=minbase", f"--include={packages}", work.release, place / "tree", work.mirror)
    return run(*argv, directory=place, apart=True)


def _cold(work: Work, *targets: str) -> Cost:
    for name in ("state", "images"):
        shutil.rmtree(work.directory / name, ignore_errors=True)
        (work.directory / name).mkdir()
    return _factory(work, TEMPLATE, *targets)


def _factory(work: Work, template: Path, *targets: str) -> Cost:
    asked = [word for target in targets for word in ("--target", target)]
    argv = (program("imagefactory"), "--config", work.directory / "factory.conf", *asked, "--template", template)
    return run(*argv, directory=work.directory)
