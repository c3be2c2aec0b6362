"""Jobs of stored results, for jobs that are forgotten (or never were: imports)."""

from __future__ import annotations

from imagefactory.model.jobs import Completed, Job, Operation
from imagefactory.model.records import BuildRecord, ProviderImageRecord, TargetImageRecord


def job_of_target_image(record: TargetImageRecord, build: BuildRecord) -> Job:
    """Returns the completed build that made a target image."""
    return Job(
        id=record.id,
        operation=Operation.BUILD,
        target=record.target,
        image_id=build.image,
        build_id=build.id,
        created=build.timestamp,
        state=Completed(size=record.size),
        template_id=record.template,
        percent=100,
    )


def job_of_provider_image(record: ProviderImageRecord, target_image: TargetImageRecord, build: BuildRecord) -> Job:
    """Returns the completed push that made a provider image."""
    return Job(
        id=record.id,
        operation=Operation.PUSH,
        target=target_image.target,
        image_id=build.image,
        build_id=build.id,
        created=build.timestamp,
        state=Completed(identifier=record.target_identifier or ""),
        target_image_id=target_image.id,
        provider=record.provider,
        provider_account_identifier=record.provider_account_identifier,
        template_id=target_image.template,
        percent=100,
    )
