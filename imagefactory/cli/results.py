"""The last lines of a run: what came out, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from imagefactory.cli.watch import destination, stage_text
from imagefactory.jobs.interface import Imported
from imagefactory.model.errors import FactoryError, InvalidInput
from imagefactory.model.jobs import Completed, Failed, Job, Operation
from imagefactory.model.report import StageOutcome


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
    """How long the job ran (0 if it never did)."""
    return round(job.ended - job.started, 1) if job.started and job.ended else 0.0


def result_line(job: Job) -> str:
    """One line per job: destination, state, ids, size, time; for a failure the reason and what to do."""
    name = destination(job)
    if isinstance(job.state, Completed):
        size = f", {size_text(job.state.size)}" if job.state.size is not None else ""
        known = f", identifier {job.state.identifier}" if job.state.identifier else ""
        kind = "provider image" if job.operation is Operation.PUSH else "target image"
        return f"{name}: COMPLETED {kind} {job.id} of build {job.build_id}{known}{size}, {seconds_of(job)} s"
    if isinstance(job.state, Failed):
        hint = f"\n  hint: {job.state.failure.hint}" if job.state.failure.hint else ""
        return f"{name}: FAILED {job.id}: {job.state.failure.message}{hint}"
    return f"{name}: {job.state.wire} {job.id}"


def job_document(job: Job) -> dict[str, Any]:
    """One job for `--json`."""
    document: dict[str, Any] = {
        "id": job.id,
        "operation": job.operation.value,
        "target": job.target,
        "provider": job.provider,
        "status": job.state.wire,
        "image_id": job.image_id,
        "build_id": job.build_id,
        "target_image_id": job.target_image_id,
        "seconds": seconds_of(job),
        "stages": stage_documents(job.stages),
    }
    if isinstance(job.state, Completed):
        document |= {"size": job.state.size, "identifier": job.state.identifier or None}
    if isinstance(job.state, Failed):
        failure = job.state.failure
        document["error"] = {"message": failure.message, "hint": failure.hint, "cancelled": failure.cancelled}
    return document


def stage_documents(stages: Sequence[StageOutcome]) -> list[dict[str, Any]]:
    """Stages for `--json`."""
    return [
        {"stage": stage.kind, "key": stage.key, "hit": stage.hit, "changed": list(stage.changed)} for stage in stages
    ]


def run_document(image_id: str, build_id: str, jobs: Sequence[Job]) -> str:
    """The result document of a build or push."""
    return _json({"image": image_id, "build": build_id, "jobs": [job_document(job) for job in jobs]})


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
    """What happened, where, and what to do, for standard error."""
    hint = f"\n  hint: {error.hint}" if error.hint else ""
    return f"imagefactory: {error}{hint}"


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
