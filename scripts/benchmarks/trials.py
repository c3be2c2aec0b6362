"""Measurements one after the other, each told as soon as it is known, and the table of all of them."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from scripts.benchmarks.tables import megabytes, progress, ratio, show
from scripts.benchmarks.timing import Cost, Failed

HEAD = ("", "wall", "processor", "times", "of", "our memory", "aim")
TROUBLE = (Failed, OSError, subprocess.SubprocessError)
"""What may come of a measurement that could not be made."""

Once = Callable[[], Cost | Failed]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured: `of` names the trial it is compared with, `ours`: the memory is that of our process."""

    name: str
    of: str
    aim: str = ""
    ours: bool = False


class Trials:
    """What was measured so far, and what could not be; `show` is never too early."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._done: dict[str, tuple[Trial, Cost]] = {}
        self._failed: dict[str, str] = {}

    def measure(self, trial: Trial, once: Once, *, rounds: int = 1) -> None:
        """Run it some times and keep the run that was least disturbed, or why there is none."""
        costs: list[Cost] = []
        for turn in range(rounds):
            progress(f"{trial.name} ({turn + 1} of {rounds})")
            result = tried(once)
            if isinstance(result, Failed):
                self._failed[trial.name] = str(result)
                print(_sorry(trial.name, str(result)), flush=True)
                break
            costs.append(result)
        if costs:
            self._done[trial.name] = trial, min(costs, key=lambda cost: cost.wall)
            print("    " + ", ".join(filter(None, self._cells(trial.name)[1:])), flush=True)

    def show(self) -> None:
        """Print the table, and what is missing in it."""
        show(self._title, HEAD, [self._cells(name) for name in self._done])
        for name, error in self._failed.items():
            print(_sorry(name, error), flush=True)

    def _cells(self, name: str) -> tuple[str, ...]:
        trial, cost = self._done[name]
        reference = self._done.get(trial.of)
        times = ratio(cost.wall, reference[1].wall) if reference else "-"
        memory = megabytes(cost.memory) if trial.ours else ""
        of = trial.of.partition(",")[0]
        return trial.name, f"{cost.wall:.1f} s", f"{cost.cpu:.1f} s", times, of, memory, trial.aim


def tried(once: Once) -> Cost | Failed:
    """Its cost, or why there is none: no trouble of one measurement ends the others."""
    try:
        return once()
    except FileNotFoundError as error:
        return Failed(f"{error.filename} is not installed")
    except TROUBLE as error:
        return Failed(str(error))


def _sorry(name: str, error: str) -> str:
    return f"- {name} cannot run here: `{error}`"
