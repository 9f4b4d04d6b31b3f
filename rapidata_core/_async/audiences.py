"""``client.audience``: who answers, in the words of the platform's documents."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rapidata_core._async.api.audiences import AsyncAudienceApi
from rapidata_core._async.definitions import AsyncRapidataJobDefinition
from rapidata_core._async.examples import AsyncExamples
from rapidata_core._async.jobs import AsyncRapidataJob, assign, find_jobs
from rapidata_core._async.recruiting import wait_for_people
from rapidata_core._async.reuse import reuse_or_create_audience
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import SETTLE_PAUSES
from rapidata_core.concurrency import async_offload, async_sleep
from rapidata_core.errors import (
    RapidataError,
    ServerError,
    TransportError,
    ValidationError,
    blank,
    is_undone,
    refuse_blank,
)
from rapidata_core.filters import (
    Filter,
    check_filters,
    combined,
    parse_filters,
    read_filter,
)
from rapidata_core.jobs import (
    ClassificationExample,
    CompareExample,
    DrawExample,
    LocateExample,
    QualificationExample,
    SelectWordsExample,
)
from rapidata_core.jobs.checks import given
from rapidata_core.jobs.datapoint import is_url
from rapidata_core.jobs.qualification import distinct, doubtful, parse_examples
from rapidata_core.local_files import digests, look_at
from rapidata_core.policy.audiences import (
    audience_fingerprint,
    graduation_rule,
    is_hopeless,
    is_same_rule,
    is_unlisted,
    recruiting,
)
from rapidata_core.policy.submission import key_marker, readable, renamed
from rapidata_core.types import Box, RecruitingMetrics, Setting
from rapidata_core.wire.audience import AudienceAnswer

if TYPE_CHECKING:
    import pandas

Result = TypeVar("Result")

_log = logging.getLogger("rapidata_core.audience")
GLOBAL = "global"


class AsyncAnyAudience:
    """What every kind of audience can do: answer jobs.

    Attributes:
        id: The audience's id; the pool of everybody is ``global``.
        name: Its name.
    """

    def __init__(self, transport: AsyncTransport, audience_id: str, name: str) -> None:
        self._transport = transport
        self._audiences = AsyncAudienceApi(transport)
        self.id = audience_id
        self.name = readable(name)

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return self._transport.page("audiences", self.id)

    async def assign_job(
        self,
        job_definition: AsyncRapidataJobDefinition,
        run_after: AsyncRapidataJob | str | None = None,
    ) -> AsyncRapidataJob:
        """Let this audience answer a job definition. Every call starts, and pays for, a new job.

        Args:
            job_definition: What to ask.
            run_after: A job, or its id, that has to be done before this one starts.

        Raises:
            AmbiguousSubmissionError: The answer was lost and the job did not show up; look with
                ``client.job.find_jobs`` before you try again.
        """
        await self._look_before_paying()
        return await assign(
            self._transport,
            job_definition.id,
            job_definition.name,
            self.id,
            revision_number=job_definition.pinned,
            run_after=run_after,
        )

    async def find_jobs(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataJob]:
        """Jobs of this audience whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Jobs per page.
            page: Which page, from 1.
        """
        return await find_jobs(self._transport, name, amount, page, [("audience_id[eq]", self.id)])

    async def delete(self) -> None:
        """Delete the audience. Its jobs stay."""
        await self._audiences.delete(self.id)

    async def _look_before_paying(self) -> None:
        """Warn about what would leave a job without answers."""

    def __repr__(self) -> str:
        kind = type(self).__name__.removeprefix("Async")
        return f"{kind}(id={self.id!r}, name={self.name!r})"


class AsyncRapidataFilteredAudience(AsyncAnyAudience):
    """Some of the labelers of another audience; it has no examples of its own.

    Attributes:
        id: The audience's id.
        name: The name of the audience that it is a part of.
        filters: Whom it takes.
    """

    def __init__(
        self, transport: AsyncTransport, audience_id: str, name: str, filters: Sequence[Filter]
    ) -> None:
        super().__init__(transport, audience_id, name)
        self.filters = list(filters)


class AsyncRapidataUnlistedAudience(AsyncAnyAudience):
    """People of your own, who come by a link; the platform's labelers never see its jobs."""

    @property
    def link(self) -> str:
        """What to share with the people who shall answer."""
        return self._transport.page("label", self.id)

    def job_link(self, job: AsyncRapidataJob) -> str:
        """What to share for one job alone."""
        return self._transport.page("label", self.id, "job", job.id)


class AsyncRapidataAudience(AsyncAnyAudience):
    """A pool of labelers.

    What the object says about the audience is what was read last; :meth:`reload` reads it anew.

    Attributes:
        id: The audience's id; the pool of everybody is ``global``.
        name: Its name.
        filters: Whom it takes; empty takes everybody.
        status: Created, Pending, Recruiting or Ready; the platform may add others.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        audience_id: str,
        name: str,
        *,
        filters: Sequence[Filter] = (),
        status: str | None = None,
    ) -> None:
        super().__init__(transport, audience_id, name)
        self.filters = list(filters)
        self.status = status
        self._examples = AsyncExamples(transport, audience_id)

    async def reload(self) -> AsyncRapidataAudience:
        """Read name, filters and status anew."""
        found = await self._audiences.get(self.id)
        self.name, self.status = readable(found.name), found.status
        self.filters = [read_filter(content) for content in found.filters or []]
        return self

    async def update_name(self, name: str) -> AsyncRapidataAudience:
        """Give it another name for people; what it is found again by stays."""
        refuse_blank(name=name)
        current = (await self._audiences.get(self.id)).name
        await self._audiences.update(self.id, {"name": renamed(current, name)})
        self.name = readable(name)
        return self

    async def update_filters(self, filters: Sequence[Filter]) -> AsyncRapidataAudience:
        """Take other people from now on.

        Args:
            filters: All of them have to take a labeler; empty takes everybody.
        """
        chosen = list(check_filters(filters)) if filters else []
        await self._audiences.update(self.id, {"filters": [part.wire() for part in chosen]})
        self.filters = chosen
        return self

    async def filter(self, filters: Sequence[Filter]) -> AsyncRapidataFilteredAudience:
        """A part of the people of this audience, for jobs of its own.

        Nobody is recruited or qualified for it: it shares the people of this audience.

        Args:
            filters: All of them have to take a labeler. Combine them with ``&``, ``|`` and ``~``.
        """
        chosen = combined(filters)
        created = await self._audiences.create_filtered(self.id, chosen.wire())
        return AsyncRapidataFilteredAudience(
            self._transport, created.audience_id, self.name, [chosen]
        )

    async def add_classification_example(
        self,
        instruction: str,
        answer_options: Sequence[str],
        datapoint: str,
        truth: Sequence[str],
        data_type: Literal["media", "text"] = "media",
        context: str | None = None,
        media_context: Sequence[str] | None = None,
        explanation: str | None = None,
        settings: Sequence[Setting] | None = None,
    ) -> AsyncRapidataAudience:
        """Add a classification whose right options are known.

        Check every example: a wrong truth lets the wrong people in and keeps the right ones out.

        Args:
            instruction: The question that labelers see.
            answer_options: The options to choose from.
            datapoint: URL, path of a local file, or text.
            truth: The right options, out of ``answer_options``.
            data_type: ``media`` or ``text``.
            context: Text shown beside it.
            media_context: Images (URLs or paths) shown beside it.
            explanation: Shown to labelers who answer wrongly.
            settings: Best those of the jobs that follow, so that labelers see what they will see.

        Raises:
            ValidationError: Something is wrong, for example a truth that is not an option, or a
                file that is not there; it lists every problem at once.
        """
        example = ClassificationExample(
            **given(
                instruction=instruction,
                answer_options=answer_options,
                datapoint=datapoint,
                truth=truth,
                data_type=data_type,
                context=context,
                media_context=media_context,
                explanation=explanation,
                settings=settings,
            )
        )
        await self._examples.add(example)
        return self

    async def add_compare_example(
        self,
        instruction: str,
        truth: str,
        datapoint: Sequence[str],
        data_type: Literal["media", "text"] = "media",
        context: str | None = None,
        media_context: Sequence[str] | None = None,
        explanation: str | None = None,
        settings: Sequence[Setting] | None = None,
    ) -> AsyncRapidataAudience:
        """Add a comparison whose better item is known.

        Args:
            instruction: The question that labelers see.
            truth: The better item, exactly as it stands in ``datapoint``.
            datapoint: Two URLs, paths of local files, or texts.
            data_type: See :meth:`add_classification_example`.
            context: See :meth:`add_classification_example`.
            media_context: See :meth:`add_classification_example`.
            explanation: See :meth:`add_classification_example`.
            settings: See :meth:`add_classification_example`.

        Raises:
            ValidationError: See :meth:`add_classification_example`.
        """
        example = CompareExample(
            **given(
                instruction=instruction,
                truth=truth,
                datapoint=datapoint,
                data_type=data_type,
                context=context,
                media_context=media_context,
                explanation=explanation,
                settings=settings,
            )
        )
        await self._examples.add(example)
        return self

    async def add_locate_example(
        self,
        instruction: str,
        datapoint: str,
        truths: Sequence[Box],
        context: str | None = None,
        media_context: Sequence[str] | None = None,
        explanation: str | None = None,
        settings: Sequence[Setting] | None = None,
    ) -> AsyncRapidataAudience:
        """Add an image on which it is known where to tap.

        Args:
            instruction: What to tap on.
            datapoint: URL or path of a local file.
            truths: The regions in which taps are right.
            context: See :meth:`add_classification_example`.
            media_context: See :meth:`add_classification_example`.
            explanation: See :meth:`add_classification_example`.
            settings: See :meth:`add_classification_example`.

        Raises:
            ValidationError: See :meth:`add_classification_example`.
        """
        example = LocateExample(
            **given(
                instruction=instruction,
                datapoint=datapoint,
                truths=truths,
                context=context,
                media_context=media_context,
                explanation=explanation,
                settings=settings,
            )
        )
        await self._examples.add(example)
        return self

    async def add_draw_example(
        self,
        instruction: str,
        datapoint: str,
        truths: Sequence[Box],
        context: str | None = None,
        media_context: Sequence[str] | None = None,
        explanation: str | None = None,
        settings: Sequence[Setting] | None = None,
    ) -> AsyncRapidataAudience:
        """Add an image on which it is known where to draw.

        Args:
            instruction: What to draw over.
            datapoint: URL or path of a local file.
            truths: The regions in which lines are right.
            context: See :meth:`add_classification_example`.
            media_context: See :meth:`add_classification_example`.
            explanation: See :meth:`add_classification_example`.
            settings: See :meth:`add_classification_example`.

        Raises:
            ValidationError: See :meth:`add_classification_example`.
        """
        example = DrawExample(
            **given(
                instruction=instruction,
                datapoint=datapoint,
                truths=truths,
                context=context,
                media_context=media_context,
                explanation=explanation,
                settings=settings,
            )
        )
        await self._examples.add(example)
        return self

    async def add_select_words_example(
        self,
        instruction: str,
        datapoint: str,
        sentence: str,
        truths: Sequence[int],
        required_precision: float = 1,
        required_completeness: float = 1,
        explanation: str | None = None,
        settings: Sequence[Setting] | None = None,
    ) -> AsyncRapidataAudience:
        """Add a sentence of which it is known which words to select.

        Args:
            instruction: Which words to select.
            datapoint: URL or path of a local file that the sentence is about.
            sentence: The sentence; spaces separate its words.
            truths: Positions of the right words, from 0.
            required_precision: Share of the selected words that must be right.
            required_completeness: Share of the right words that must be selected.
            explanation: See :meth:`add_classification_example`.
            settings: See :meth:`add_classification_example`.

        Raises:
            ValidationError: See :meth:`add_classification_example`.
        """
        example = SelectWordsExample(
            **given(
                instruction=instruction,
                datapoint=datapoint,
                sentence=sentence,
                truths=truths,
                required_precision=required_precision,
                required_completeness=required_completeness,
                explanation=explanation,
                settings=settings,
            )
        )
        await self._examples.add(example)
        return self

    async def get_examples(self, amount: int = 10, page: int = 1) -> pandas.DataFrame:
        """The examples as a table.

        Columns: ``id``, ``asset``, ``truth``, ``context``, ``contextAsset``, and how many labelers
        answered as the truth says or otherwise (``correctCount``, ``incorrectCount``): an example
        that most people fail may have a wrong truth.

        Args:
            amount: Examples per page.
            page: Which page, from 1.
        """
        return await async_offload(_frame, await self._examples.rows(amount, page))

    async def delete_example(self, example_id: str) -> AsyncRapidataAudience:
        """Delete an example; its id is in :meth:`get_examples`."""
        await self._examples.delete(example_id)
        return self

    async def start_recruiting(self) -> AsyncRapidataAudience:
        """Let labelers try the examples; those who pass join the audience.

        Raises:
            ValidationError: The platform wants more examples.
        """
        await self._examples.check()
        await self._audiences.recruit(self.id)
        return self

    async def get_recruiting_metrics(self) -> RecruitingMetrics:
        """How many labelers are how far; all zero for audiences that recruit nobody."""
        found = recruiting((await self._audiences.metrics(self.id)).users_per_state)
        return found or RecruitingMetrics(0, 0, 0, 0, {})

    async def wait_until_ready(
        self,
        graduates: int = 1,
        timeout: float | None = None,
        poll_interval: float | None = None,
    ) -> RecruitingMetrics:
        """Wait until people have qualified; an audience that recruits nobody is ready at once.

        Args:
            graduates: How many.
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Raises:
            WaitTimeoutError: It takes longer; recruiting goes on, wait again.
            AudienceNeedsAttentionError: Nobody is being recruited; it says what is missing.
        """
        return await wait_for_people(self._transport, self.id, graduates, timeout, poll_interval)

    async def _look_before_paying(self) -> None:
        if self.id == GLOBAL:
            return
        try:
            metrics = recruiting((await self._audiences.metrics(self.id)).users_per_state)
            status = (await self._audiences.get(self.id)).status if _has_nobody(metrics) else None
        except RapidataError as error:
            _log.debug("cannot tell who is in audience %s: %s", self.id, error)
            return
        if is_hopeless(status, metrics):
            await self._examples.check()


class AsyncAudiences:
    """``client.audience``."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport
        self._audiences = AsyncAudienceApi(transport)

    async def create_audience(
        self,
        name: str,
        filters: Sequence[Filter] | None = None,
        target_accuracy: float | None = None,
        min_tasks: int | None = None,
        max_tasks: int | None = None,
    ) -> AsyncRapidataAudience:
        """Make an empty audience; labelers join it by passing the examples that you add.

        Args:
            name: For people; you find it again by it.
            filters: Whom it takes; all of them have to take a labeler.
            target_accuracy: Share of the examples that a labeler has to answer rightly; the
                platform's default is 0.75.
            min_tasks: Examples that a labeler answers at least; the platform's default is 10.
            max_tasks: Examples that a labeler answers at most.

        Raises:
            ValidationError: Something is wrong; it lists every problem at once.
            TransportError: The answer was lost and the audience did not show up; look with
                :meth:`find_audiences` before you try again.
        """
        refuse_blank(name=name)
        chosen = list(check_filters(filters)) if filters else []
        rule = graduation_rule(target_accuracy, min_tasks, max_tasks)
        audience_id = await self._create(name, chosen, rule)
        return AsyncRapidataAudience(
            self._transport, audience_id, name, filters=chosen, status="Created"
        )

    async def get_or_create_audience(
        self,
        name: str,
        examples: Sequence[QualificationExample | Mapping[str, Any]],
        filters: Sequence[Filter | Mapping[str, Any]] | None = None,
        target_accuracy: float | None = None,
        min_tasks: int | None = None,
        max_tasks: int | None = None,
    ) -> AsyncRapidataAudience:
        """The audience with these examples that was made before, or a new one.

        It is found by its content: all arguments but the name. A local file counts with its path
        and what is in it. Examples that are missing, because an earlier attempt was interrupted or
        somebody has deleted them, are added. Recruiting is not begun.

        Args:
            name: For people, if it is made now.
            examples: What labelers have to answer to join, in whichever order: examples, or what
                :func:`rapidata_core.jobs.qualification.parse_example` reads.
            filters: See :meth:`create_audience`; also in the platform's JSON.
            target_accuracy: See :meth:`create_audience`.
            min_tasks: See :meth:`create_audience`.
            max_tasks: See :meth:`create_audience`.

        Raises:
            ValidationError: Something is wrong; it lists every problem at once.
            RapidataError: It could not be made, or not all examples could be added. Call it again:
                it goes on where it was interrupted.
        """
        problems = blank("name", name)
        tasks = _checked(lambda: parse_examples(examples), problems) or []
        chosen = _checked(lambda: parse_filters(filters), problems) if filters else None
        rule = _checked(lambda: graduation_rule(target_accuracy, min_tasks, max_tasks), problems)
        problems += await async_offload(_file_problems, tasks)
        if problems:
            raise ValidationError("audience", problems)
        for doubt in doubtful(tasks):
            _log.warning("audience %r: %s", name, doubt)
        return await self._reuse_or_create(name, distinct(tasks), list(chosen or []), rule)

    async def _reuse_or_create(
        self,
        name: str,
        examples: Sequence[QualificationExample],
        filters: Sequence[Filter],
        rule: dict[str, Any] | None,
    ) -> AsyncRapidataAudience:
        paths = {item for one in examples for item in one.items() if not is_url(item)}
        files = await async_offload(digests, paths)
        content = audience_fingerprint(examples, filters, rule, files)
        marker = key_marker(self._transport.settings.namespace, f"audience/{content}")

        async def work() -> AsyncRapidataAudience:
            found = await reuse_or_create_audience(
                self._transport,
                marker,
                lambda answer: self._takes(answer, filters, rule),
                lambda: self._create(f"{name}{marker}", filters, rule),
            )
            await AsyncExamples(self._transport, found.id).complete(examples)
            return self._audience(found)

        return await self._transport.flights.once(f"create {marker}", work)

    async def _create(
        self, name: str, filters: Sequence[Filter], rule: dict[str, Any] | None
    ) -> str:
        """Make an audience; a lost answer is resolved by looking for it."""
        body: dict[str, Any] = {"name": name, "filters": [part.wire() for part in filters]}
        if rule is not None:
            body["graduationRule"] = rule
        try:
            return (await self._audiences.create(body)).audience_id
        except (TransportError, ServerError) as error:
            if is_undone(error):
                raise
            _log.warning("the answer about audience %r was lost; looking whether it is there", name)
            found = await self._find_lost(name, filters, rule)
            if found is None:
                raise
            return found

    async def create_unlisted_audience(self, name: str) -> AsyncRapidataUnlistedAudience:
        """Make an audience of your own people, who come by its ``link``.

        Args:
            name: For people.
        """
        refuse_blank(name=name)
        created = await self._audiences.create_unlisted(name)
        return AsyncRapidataUnlistedAudience(self._transport, created.audience_id, name)

    async def get_audience_by_id(
        self, audience_id: str
    ) -> AsyncRapidataAudience | AsyncRapidataFilteredAudience | AsyncRapidataUnlistedAudience:
        """Find an audience.

        Args:
            audience_id: ``global`` is everybody; the dashboard shows the others.

        Raises:
            NotFoundError: There is none with this id.
        """
        refuse_blank(audience_id=audience_id)
        if is_unlisted(audience_id):
            unlisted = await self._audiences.get_unlisted(audience_id)
            return AsyncRapidataUnlistedAudience(self._transport, unlisted.id, unlisted.name)
        found = await self._audiences.get(audience_id)
        if found.filter is not None:
            return AsyncRapidataFilteredAudience(
                self._transport, audience_id, found.name, [read_filter(found.filter)]
            )
        return self._audience(found)

    async def find_audiences(
        self, name: str = "", amount: int = 10, page: int = 1
    ) -> list[AsyncRapidataAudience]:
        """Audiences whose name contains a text, newest first.

        Args:
            name: The text; empty finds all.
            amount: Audiences per page.
            page: Which page, from 1.
        """
        named = [("name[contains]", name)] if name else []
        found = await self._audiences.list(named, page=page, size=amount)
        return [self._audience(answer) for answer in found]

    def _audience(self, answer: AudienceAnswer) -> AsyncRapidataAudience:
        return AsyncRapidataAudience(
            self._transport,
            answer.id,
            answer.name,
            filters=[read_filter(content) for content in answer.filters or []],
            status=answer.status,
        )

    def _takes(
        self, answer: AudienceAnswer, filters: Sequence[Filter], rule: dict[str, Any] | None
    ) -> bool:
        """Whether an audience takes whom another one with these filters and this rule takes."""
        if answer.filter is not None or self._audience(answer).filters != list(filters):
            return False
        return is_same_rule(rule, answer.graduation_rule)

    async def _find_lost(
        self, name: str, filters: Sequence[Filter], rule: dict[str, Any] | None
    ) -> str | None:
        """An audience just like the one that was to be made: the same in all, and untouched.

        One of the same kind that an earlier run left behind serves as well.
        """
        for pause in SETTLE_PAUSES:
            await async_sleep(pause)
            for answer in await self._audiences.list([("name[eq]", name)]):
                if (answer.name, answer.status) != (name, "Created"):
                    continue
                if not self._takes(answer, filters, rule):
                    continue
                if not await self._audiences.examples(answer.id, size=1):
                    return answer.id
        return None


def _has_nobody(metrics: RecruitingMetrics | None) -> bool:
    return metrics is None or metrics.graduated == 0


def _checked(read: Callable[[], Result], problems: list[str]) -> Result | None:
    """What is read from an argument, or what is wrong with it, added to other problems."""
    try:
        return read()
    except ValidationError as error:
        problems += error.problems
        return None


def _file_problems(examples: Sequence[QualificationExample]) -> list[str]:
    """What keeps local files from being uploaded that examples name."""
    return [
        f"examples[{index}]: {found}"
        for index, example in enumerate(examples)
        for item in example.items()
        if not is_url(item) and isinstance(found := look_at(item), str)
    ]


def _frame(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    import pandas

    return pandas.DataFrame(rows)
