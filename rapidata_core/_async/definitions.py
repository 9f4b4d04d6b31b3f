"""Job definitions: what is asked; and ``client.job``, which makes them and finds jobs again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from rapidata_core._async.api.definitions import AsyncDefinitionApi
from rapidata_core._async.define import checked_tolerance, define, revise
from rapidata_core._async.jobs import AsyncRapidataJob, find_jobs, get_job, wait_for_job
from rapidata_core._async.news import job_news
from rapidata_core._async.reuse import reuse_or_define
from rapidata_core._async.spend import estimate, price
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import wait_until
from rapidata_core.display import show
from rapidata_core.errors import RapidataError, refuse_blank
from rapidata_core.jobs import (
    ClassificationJob,
    CompareJob,
    DrawJob,
    FreeTextJob,
    JobSpec,
    LocateJob,
    RankingJob,
    SelectWordsJob,
    parse_job,
)
from rapidata_core.jobs.checks import given
from rapidata_core.policy.polling import PollingPolicy
from rapidata_core.policy.revisions import (
    changed,
    instruction_of,
    options_of,
    responses_of,
    settings_of,
)
from rapidata_core.policy.submission import readable
from rapidata_core.types import (
    CostEstimate,
    FinishedJob,
    JobProgress,
    News,
    Reaction,
    RevisionInfo,
    Setting,
)
from rapidata_core.wire.definition import RevisionAnswer

# Preparing takes a second at most for all but the largest.
_POLLING = PollingPolicy(fastest=0.2, slowest=2.0)


class AsyncRapidataJobDefinition:
    """What to ask. It costs nothing until it is assigned to an audience.

    It stands for one revision: the one that was created or read. A job that is assigned asks that
    revision, whatever others change in the meantime; :meth:`reload` goes on to the latest one.

    Attributes:
        id: The definition's id.
        name: Its name for people.
        pinned: The number of its revision; None until one was read, for definitions that were
            found in a list.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        definition_id: str,
        name: str,
        revision: RevisionAnswer | int | None = None,
    ) -> None:
        self._transport = transport
        self._definitions = AsyncDefinitionApi(transport)
        self._content = revision if isinstance(revision, RevisionAnswer) else None
        self.id = definition_id
        self.name = readable(name)
        self.pinned = revision.revision_number if isinstance(revision, RevisionAnswer) else revision

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return self._transport.page("definitions", self.id)

    def preview(self) -> AsyncRapidataJobDefinition:
        """Open the page that shows what labelers will see, where there is a browser."""
        show(self.url)
        return self

    @property
    async def estimated_cost(self) -> CostEstimate:
        """What a job of this definition is expected to cost."""
        return estimate(await price(self._definitions.cost, self.id))

    # What its revision says; read when it is first asked for.

    @property
    async def revision_number(self) -> int:
        """The number of its revision, from 1."""
        return (await self._revision()).revision_number

    @property
    async def instruction(self) -> str | None:
        """The question that labelers see."""
        return instruction_of((await self._revision()).workflow)

    @property
    async def answer_options(self) -> list[str] | None:
        """The options of a classification; None where each datapoint has its own list of them."""
        return options_of((await self._revision()).workflow)

    @property
    async def responses_per_datapoint(self) -> int | None:
        """Human answers per datapoint, at most where it can be done earlier."""
        return responses_of((await self._revision()).referee)

    @property
    async def settings(self) -> list[Setting]:
        """Switches that change how it is shown and distributed."""
        return settings_of(await self._revision())

    @property
    async def dataset_id(self) -> str:
        """The dataset with its datapoints."""
        return (await self._revision()).dataset_id

    @property
    async def state(self) -> str:
        """``Pending`` while the platform prepares its revision, then ``Completed``."""
        number = (await self._revision()).revision_number
        return (await self._definitions.get_revision(self.id, number)).state

    async def revisions(self) -> list[RevisionInfo]:
        """All its revisions, oldest first."""
        return [
            RevisionInfo(row.revision_number, row.state, row.created_at, row.base_revision_number)
            for row in await self._definitions.revisions(self.id)
        ]

    async def reload(self, revision: int | None = None) -> AsyncRapidataJobDefinition:
        """Read it anew.

        Args:
            revision: The number of the revision to stand for; the latest one by default.
        """
        self._content = await self._definitions.get_revision(self.id, revision)
        self.pinned = self._content.revision_number
        return self

    async def update(
        self,
        spec: JobSpec | Mapping[str, Any] | str | None = None,
        *,
        instruction: str | None = None,
        responses_per_datapoint: int | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        require_latest: bool = True,
    ) -> AsyncRapidataJobDefinition:
        """Save a new revision, and stand for it. Jobs that run already ask what they asked before.

        Args:
            spec: A whole new description, whose datapoints are uploaded. Instead of it, single
                changes:
            instruction: A new question.
            responses_per_datapoint: A new number of human answers.
            settings: New settings instead of all that it has.
            failure_tolerance: See :meth:`AsyncJobs.create_job_definition`.
            require_latest: Whether to refuse when somebody else has saved a revision since this
                one was read. Otherwise theirs is not part of the new one.

        Raises:
            RevisionConflictError: Somebody else has.
            FailedUploadException: More datapoints failed than tolerated; no revision was saved.
            ValidationError: The change makes no sense; nothing was sent.
        """
        base = await self._revision()
        whole = None if spec is None else parse_job(spec)
        body = changed(
            base,
            whole,
            instruction=instruction,
            responses_per_datapoint=responses_per_datapoint,
            settings=settings,
        )
        body["requireLatest"] = require_latest
        await revise(self._transport, self, whole, body, failure_tolerance)
        return self

    async def wait_until_ready(self, timeout: float = 300) -> AsyncRapidataJobDefinition:
        """Wait until the platform has prepared its revision.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            WaitTimeoutError: It takes longer; it goes on.
            RapidataError: The platform could not prepare it.
        """
        number = (await self._revision()).revision_number

        async def look() -> str | None:
            state = (await self._definitions.get_revision(self.id, number)).state
            if state == "Failed":
                raise RapidataError(
                    f"The platform could not prepare revision {number} of job definition "
                    f"{self.id!r}. Nothing was paid; look at {self.url} and define it anew."
                )
            return state if state == "Completed" else None

        what = f"The end of preparing revision {number} of job definition {self.id!r}"
        await wait_until(look, what=what, timeout=timeout, polling=_POLLING)
        return self

    async def delete(self) -> None:
        """Delete it; jobs that were assigned go on."""
        await self._definitions.delete(self.id)

    async def _revision(self) -> RevisionAnswer:
        if self._content is None:
            await self.reload(self.pinned)
        assert self._content is not None
        return self._content

    def __repr__(self) -> str:
        return f"RapidataJobDefinition(id={self.id!r}, name={self.name!r})"


class AsyncJobs:
    """``client.job``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create_job_definition(
        self,
        spec: JobSpec | Mapping[str, Any] | str,
        failure_tolerance: float | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Upload what a spec needs and define the job. This costs nothing.

        Args:
            spec: What to ask: a job spec, or what :func:`rapidata_core.parse_job` reads.
            failure_tolerance: Share of the datapoints that may fail without an error, 0 to 1; by
                default ``rapidata_config.upload.failureTolerance``.

        Raises:
            FailedUploadException: More datapoints failed than tolerated. The definition was made
                of the others; it is the error's ``job_definition``, and ``retry()`` completes it.
        """
        spec = parse_job(spec)
        made = await define(self._transport, spec, spec.name, failure_tolerance=failure_tolerance)
        return AsyncRapidataJobDefinition(self._transport, made.definition_id, spec.name, 1)

    async def get_or_create_job_definition(
        self,
        spec: JobSpec | Mapping[str, Any] | str,
        *,
        failure_tolerance: float | None = None,
    ) -> AsyncRapidataJobDefinition:
        """The definition of a spec that was made before, or a new one. This costs nothing.

        It is found by its content: all that the spec says but its name. A local file counts with
        its path and what is in it. One that somebody has edited asks something else by now.

        Args:
            spec: What to ask: a job spec, or what :func:`rapidata_core.parse_job` reads.
            failure_tolerance: See :meth:`create_job_definition`.

        Raises:
            FailedUploadException: More datapoints failed than tolerated; no definition was made.
        """
        spec = parse_job(spec)
        tolerance = checked_tolerance(failure_tolerance)
        found = await reuse_or_define(self._transport, spec, tolerance)
        return AsyncRapidataJobDefinition(self._transport, found.definition_id, found.name, 1)

    async def create_classification_job_definition(
        self,
        name: str,
        instruction: str,
        answer_options: Sequence[str] | Sequence[Sequence[str]],
        datapoints: Sequence[str],
        data_type: Literal["media", "text"] = "media",
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        confidence_threshold: float | None = None,
        quorum_threshold: int | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers choose an option; see :class:`ClassificationJob`."""
        return await self.create_job_definition(
            ClassificationJob(
                **given(
                    name=name,
                    instruction=instruction,
                    answer_options=answer_options,
                    datapoints=datapoints,
                    data_type=data_type,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    confidence_threshold=confidence_threshold,
                    quorum_threshold=quorum_threshold,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def create_compare_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[Sequence[str]],
        data_type: Literal["media", "text"] = "media",
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        a_b_names: Sequence[str] | None = None,
        confidence_threshold: float | None = None,
        quorum_threshold: int | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers choose one of two items; see :class:`CompareJob`."""
        return await self.create_job_definition(
            CompareJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    data_type=data_type,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    a_b_names=a_b_names,
                    confidence_threshold=confidence_threshold,
                    quorum_threshold=quorum_threshold,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def create_ranking_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[Sequence[str]],
        comparison_budget_per_ranking: int,
        responses_per_comparison: int = 1,
        data_type: Literal["media", "text"] = "media",
        random_comparisons_ratio: float = 0.5,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job that puts items in order; see :class:`RankingJob`."""
        return await self.create_job_definition(
            RankingJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    comparison_budget_per_ranking=comparison_budget_per_ranking,
                    responses_per_comparison=responses_per_comparison,
                    data_type=data_type,
                    random_comparisons_ratio=random_comparisons_ratio,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    settings=settings,
                )
            ),
            failure_tolerance,
        )

    async def create_free_text_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[str],
        data_type: Literal["media", "text"] = "media",
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers type an answer; see :class:`FreeTextJob`."""
        return await self.create_job_definition(
            FreeTextJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    data_type=data_type,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def create_select_words_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[str],
        sentences: Sequence[str],
        responses_per_datapoint: int = 10,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers select words; see :class:`SelectWordsJob`."""
        return await self.create_job_definition(
            SelectWordsJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    sentences=sentences,
                    responses_per_datapoint=responses_per_datapoint,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def create_locate_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[str],
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers tap points; see :class:`LocateJob`."""
        return await self.create_job_definition(
            LocateJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def create_draw_job_definition(
        self,
        name: str,
        instruction: str,
        datapoints: Sequence[str],
        responses_per_datapoint: int = 10,
        contexts: Sequence[str] | None = None,
        media_contexts: Sequence[Sequence[str]] | None = None,
        settings: Sequence[Setting] | None = None,
        failure_tolerance: float | None = None,
        private_metadata: Sequence[dict[str, str]] | None = None,
    ) -> AsyncRapidataJobDefinition:
        """Define a job in which labelers draw lines; see :class:`DrawJob`."""
        return await self.create_job_definition(
            DrawJob(
                **given(
                    name=name,
                    instruction=instruction,
                    datapoints=datapoints,
                    responses_per_datapoint=responses_per_datapoint,
                    contexts=contexts,
                    media_contexts=media_contexts,
                    settings=settings,
                    private_metadata=private_metadata,
                )
            ),
            failure_tolerance,
        )

    async def get_job_definition_by_id(
        self, job_definition_id: str, revision: int | None = None
    ) -> AsyncRapidataJobDefinition:
        """Find a definition again.

        Args:
            job_definition_id: Its id.
            revision: The number of the revision that is meant; the latest one by default.

        Raises:
            NotFoundError: There is none with this id, or it has no such revision.
        """
        refuse_blank(job_definition_id=job_definition_id)
        definitions = AsyncDefinitionApi(self._transport)
        found = await definitions.get(job_definition_id)
        content = await definitions.get_revision(job_definition_id, revision)
        return AsyncRapidataJobDefinition(self._transport, found.definition_id, found.name, content)

    # The documents' spelling.
    get_job_defintion_by_id = get_job_definition_by_id

    async def find_job_definitions(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataJobDefinition]:
        """Definitions whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Definitions per page.
            page: Which page, from 1.
        """
        named = [("name[contains]", name)] if name else []
        found = await AsyncDefinitionApi(self._transport).list(
            named, amount, page=page, sort="-created_at"
        )
        return [
            AsyncRapidataJobDefinition(self._transport, item.definition_id, item.name)
            for item in found
        ]

    async def get_job_by_id(self, job_id: str) -> AsyncRapidataJob:
        """Find a job again.

        Raises:
            NotFoundError: There is none with this id.
        """
        return await get_job(self._transport, job_id)

    async def wait(
        self,
        job_id: str,
        timeout: float | None = None,
        on_progress: Callable[[JobProgress], object] | None = None,
        poll_interval: float | None = None,
        on_attention: Mapping[str, Reaction] | None = None,
    ) -> None:
        """Wait until a job's results are there, without a request of its own to find the job.

        Args:
            job_id: The job; see :meth:`AsyncRapidataJob.wait` for the others, and the errors.
            timeout: Seconds to wait at most; None waits for ever.
            on_progress: Called with every change.
            poll_interval: Seconds between looks; by default it grows with the time waited.
            on_attention: What to do in states in which somebody has to act.

        Raises:
            NotFoundError: There is none with this id.
        """
        await wait_for_job(
            self._transport, job_id, timeout, on_progress, poll_interval, on_attention
        )

    async def find_jobs(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataJob]:
        """Jobs whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Jobs per page.
            page: Which page, from 1.
        """
        return await find_jobs(self._transport, name, amount, page)

    async def news(
        self,
        cursor: Mapping[str, Any] | None = None,
        *,
        audience_id: str | None = None,
        job_definition_id: str | None = None,
        name: str | None = None,
        since: datetime | None = None,
    ) -> News[FinishedJob]:
        """The jobs that are done or failed since the last look: each is told once, none is missed.

        Jobs that were deleted are not told. Jobs that show in the platform's list later than the
        settle time may be missed.

        Args:
            cursor: What the last look returned. None begins now: what has ended is no news, what
                is open will be.
            audience_id: Only jobs of this audience. Give the same with each cursor, as for the
                others.
            job_definition_id: Only jobs of this definition.
            name: Only jobs whose name contains this text.
            since: Where there is no cursor yet, jobs that were created then or later are news,
                too, if they have ended.

        Raises:
            ValidationError: The cursor is damaged, or another argument is wrong.
        """
        return await job_news(
            self._transport,
            cursor,
            since,
            audience_id=audience_id,
            job_definition_id=job_definition_id,
            name=name,
        )
