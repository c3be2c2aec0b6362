"""The result of a run: lines for people, a JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagefactory.cli.watch import destination, stage_text
from imagefactory.jobs.interface import Imported
from imagefactory.lib.errors import FactoryError, InvalidInput
from imagefactory.model.jobs import Completed, Failed, Job, Operation
from imagefactory.model.report import StageOutcome
from imagefactory.model.visible import visible


def size_text(size: int | None) -> str:
    """Bytes as people read them."""
    if size is None:
        return ""
    value, units = float(size), ("B", "KiB", "MiB", "GiB", "TiB")
    for unit in units:
        if value < 1024 or unit == units[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def seconds_of(job: Job) -> float:
    """How long the job ran, in seconds (0 if it never started)."""
    return round(job.ended - job.started, 1) if job.started and job.ended else 0.0


@dataclass(frozen=True, slots=True)
class Details:
    """From the record of a target image: where its file is, and what the boot check found (either may be empty)."""

    place: str = ""
    boot: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        ssh = ", ssh answers" if "boot_ssh" in self.boot else ""
        proof = f", boots in {self.boot['boot_seconds']} s{ssh}" if "boot_seconds" in self.boot else ""
        return f"{proof}\n  {self.place}" if self.place else proof


NONE = Details()


def result_line(job: Job, details: Details = NONE) -> str:
    """The line on a job that has ended: destination, state, ids, size, time, place of the image; or reason and hint."""
    name = destination(job)
    if isinstance(job.state, Completed):
        size = f", {size_text(job.state.size)}" if job.state.size is not None else ""
        known = f", identifier {job.state.identifier}" if job.state.identifier else ""
        kind = "provider image" if job.operation is Operation.PUSH else "target image"
        return f"{name}: COMPLETED {kind} {job.id} of build {job.build_id}{known}{size}, {seconds_of(job)} s{details}"
    if isinstance(job.state, Failed):
        hint = f"\n  hint: {job.state.failure.hint}" if job.state.failure.hint else ""
        log = f"\n  log: imagefactory --log {job.id}"
        return visible(f"{name}: FAILED {job.id}: {job.state.failure.message}{hint}{log}")
    return f"{name}: {job.state.wire} {job.id}"


def job_document(job: Job, details: Details = NONE) -> dict[str, Any]:
    """One job for `--json`."""
    document: dict[str, Any] = {
        "id": job.id,
        "operation": job.operation.value,
        "target": job.target,
        "provider": job.provider,
        "status": job.state.wire,
        "image_id": job.image_id,
        "build_id": job.build_id,
        "target_image_id": _target_image(job),
        "seconds": seconds_of(job),
        "stages": stage_documents(job.stages),
    }
    if isinstance(job.state, Completed):
        document |= {"size": job.state.size, "identifier": job.state.identifier or None}
        document |= {"place": details.place or None, **details.boot}
    if isinstance(job.state, Failed):
        failure = job.state.failure
        document["error"] = {"message": failure.message, "hint": failure.hint, "cancelled": failure.cancelled}
    return document


def _target_image(job: Job) -> str | None:
    """The image that a push sends, or that a build has made (under the id of its job)."""
    made = job.operation is Operation.BUILD and isinstance(job.state, Completed)
    return job.id if made else job.target_image_id


def stage_documents(stages: Sequence[StageOutcome]) -> list[dict[str, Any]]:
    """Stages for `--json`."""
    return [
        {"stage": stage.kind, "key": stage.key, "hit": stage.hit, "changed": list(stage.changed)} for stage in stages
    ]


def run_document(jobs: Sequence[tuple[Job, Details]]) -> str:
    """The result document of a build or push."""
    first = jobs[0][0]
    documents = [job_document(job, details) for job, details in jobs]
    return _json({"image": first.image_id, "build": first.build_id, "jobs": documents})


def plan_document(plan: Sequence[tuple[str, Sequence[StageOutcome]]]) -> str:
    """The result document of `--plan`."""
    return _json({"plan": {target: stage_documents(stages) for target, stages in plan}})


def plan_lines(plan: Sequence[tuple[str, Sequence[StageOutcome]]]) -> list[str]:
    """The plan for people: per target its stages."""
    return [f"{target}: {stage_text(stage)}" for target, stages in plan for stage in stages]


def import_document(imported: Imported) -> str:
    """The result document of an import."""
    return _json(
        {
            "image": imported.image_id,
            "build": imported.build_id,
            "target_image": imported.target_image_id,
            "provider_image": imported.provider_image_id,
        }
    )


def error_document(error: FactoryError) -> str:
    """The result document of a run that was refused."""
    problems = [str(problem) for problem in error.problems] if isinstance(error, InvalidInput) else []
    return _json({"error": {"message": error.message, "where": error.where, "hint": error.hint, "problems": problems}})


def error_text(error: FactoryError) -> str:
    """The text for standard error: what happened, where, and what to do."""
    hint = f"\n  hint: {error.hint}" if error.hint else ""
    return visible(f"imagefactory: {error}{hint}")


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
