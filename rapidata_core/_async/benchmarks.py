"""Benchmarks: prompts, the models that answer them, and leaderboards that rank the models."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from rapidata_core._async.api.mri import AsyncBenchmarkApi, AsyncLeaderboardApi, AsyncParticipantApi
from rapidata_core._async.contributions import in_words, send_each
from rapidata_core._async.leaderboards import (
    AsyncRapidataLeaderboard,
    matrix_frame,
    standings_frame,
    weighting,
)
from rapidata_core._async.participants import AsyncBenchmarkParticipant, submit
from rapidata_core._async.settling import sent_once, until_settled
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out, only_one
from rapidata_core.concurrency import async_monotonic, async_sleep
from rapidata_core.display import show
from rapidata_core.errors import (
    IncompleteUploadError,
    NotFoundError,
    ServerError,
    TransportError,
    ValidationError,
    blank,
    is_whole,
    refuse_blank,
)
from rapidata_core.jobs.datapoint import asset_input
from rapidata_core.policy.benchmarks import (
    READY,
    HasId,
    LeaderboardSettings,
    LevelOfDetail,
    Prompt,
    age,
    is_asked_for,
    leaderboard_to_adopt,
    may_be_filled,
    missing_samples,
    model_to_adopt,
    new_prompts,
    new_samples,
    read_origin,
    read_prompt,
    read_tags,
    tags_on_the_wire,
    taken,
    unknown_identifiers,
    vote_filters,
    wrong_tags,
)
from rapidata_core.policy.submission import check_names, key_marker
from rapidata_core.types import Origin, SampleUpload, Setting, Tag, VoteAggregation
from rapidata_core.wire.mri import LeaderboardAnswer, LeaderboardCreated, ParticipantAnswer

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger("rapidata_core.mri")
_CONFLICT = 409


class AsyncRapidataBenchmark:
    """Prompts, the models that answer them, and leaderboards that rank the models.

    Attributes:
        id: The benchmark's id.
        name: Its name.
    """

    def __init__(self, transport: AsyncTransport, benchmark_id: str, name: str) -> None:
        self._transport = transport
        self._benchmarks = AsyncBenchmarkApi(transport)
        self._read: list[Prompt] | None = None
        # Prompts are sent some at a time, so the platform may have them in another order.
        self._places: dict[str, int] = {}
        self.id = benchmark_id
        self.name = name

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return self._transport.page("mri", "benchmarks", self.id)

    @property
    async def identifiers(self) -> list[str]:
        """The identifiers of the prompts: in the platform's order, then as they were added here."""
        return [prompt.identifier for prompt in await self._prompts()]

    @property
    async def prompts(self) -> list[str | None]:
        """The texts of the prompts as they were given, aligned with :attr:`identifiers`."""
        return [prompt.prompt for prompt in await self._prompts()]

    @property
    async def english_prompts(self) -> list[str | None]:
        """The same in English."""
        return [prompt.english_prompt for prompt in await self._prompts()]

    @property
    async def prompt_assets(self) -> list[list[str] | None]:
        """The media of the prompts: URLs, or the names of local files; None without media."""
        return [prompt.prompt_asset for prompt in await self._prompts()]

    @property
    async def tags(self) -> list[list[str]]:
        """The tags of the prompts."""
        return [[tag.value for tag in prompt.tags] for prompt in await self._prompts()]

    @property
    async def structured_tags(self) -> list[list[Tag]]:
        """The tags of the prompts with their categories."""
        return [list(prompt.tags) for prompt in await self._prompts()]

    @property
    async def origins(self) -> list[Origin | None]:
        """Where the prompts come from."""
        return [prompt.origin for prompt in await self._prompts()]

    @property
    async def leaderboards(self) -> list[AsyncRapidataLeaderboard]:
        """The leaderboards, read anew."""
        return [
            AsyncRapidataLeaderboard(self._transport, self.id, answer)
            for answer in await self._benchmarks.leaderboards(self.id)
        ]

    @property
    async def participants(self) -> list[AsyncBenchmarkParticipant]:
        """The models, read anew."""
        return [
            AsyncBenchmarkParticipant(self._transport, self.id, answer)
            for answer in await self._benchmarks.participants(self.id)
        ]

    async def get_participant_by_id(self, participant_id: str) -> AsyncBenchmarkParticipant:
        """Find a model again.

        Raises:
            NotFoundError: There is none with this id.
        """
        refuse_blank(participant_id=participant_id)
        answer = await AsyncParticipantApi(self._transport).get(participant_id)
        return AsyncBenchmarkParticipant(self._transport, self.id, answer)

    async def reload(self) -> AsyncRapidataBenchmark:
        """Read the name anew, and the prompts when they are used next."""
        self.name = (await self._benchmarks.get(self.id)).name
        self._read = None
        return self

    async def add_prompts(
        self,
        identifiers: Sequence[str] | None = None,
        prompts: Sequence[str | None] | None = None,
        prompt_assets: Sequence[Sequence[str] | str | None] | None = None,
        tags: Sequence[Sequence[str | Tag] | None] | None = None,
        origins: Sequence[Origin | str | None] | None = None,
    ) -> None:
        """Add prompts, for models that are added from now on. All lists are aligned by index.

        Args:
            identifiers: The names of the prompts; by default the prompts themselves.
            prompts: Their texts.
            prompt_assets: Paths or URLs of the media that go with each.
            tags: The tags of each, by which results are filtered; labelers never see them.
            origins: Where each comes from.

        Raises:
            ValidationError: Something is wrong with the arguments; nothing was sent.
            IncompleteUploadError: Some did not get there; its ``retry()`` sends those again.
        """
        subject = f"The prompts for {self.name!r}"
        new = new_prompts(subject, identifiers, prompts, prompt_assets, tags, origins)
        self._read = None
        taken(subject, new, await self.identifiers)
        await self.send_prompts(new)

    async def send_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Add prompts that were checked; see :meth:`add_prompts`."""
        self._read = None
        for prompt in prompts:
            self._places.setdefault(prompt.identifier, len(self._places))
        failures = await send_each(
            self._transport, prompts, lambda prompt: prompt.prompt_asset or [], self._add_prompt
        )
        if not failures:
            return
        failed = [failure.item for failure in failures]
        raise IncompleteUploadError(
            f"{len(failures)} of {len(prompts)} prompts of {self.name!r} did not get to the "
            f"platform: {in_words(failures)}. The others are there. Call retry(), or correct what "
            "failed and use benchmark.add_prompts().",
            detailed_failures=failures,
            retry=lambda: self._add_missing(failed),
            benchmark=self,
        )

    async def update_prompt(
        self,
        identifier: str,
        tags: Sequence[str | Tag] | None = None,
        origin: Origin | str | None = None,
    ) -> None:
        """Replace the tags or the origin of a prompt; what is None stays.

        Raises:
            ValidationError: There is no such prompt, or nothing to change.
        """
        problems = [] if tags is None else wrong_tags(tags)
        if tags is None and origin is None:
            problems.append("tags: give tags, an origin, or both")
        found = next((p for p in await self._prompts() if p.identifier == identifier), None)
        if found is None:
            problems.append(f"identifier: the benchmark has no prompt {identifier!r}")
        if problems or found is None:
            raise ValidationError(f"The change of prompt {identifier!r}", problems)
        changes: dict[str, Any] = {}
        if tags is not None:
            changes["tags"] = tags_on_the_wire(read_tags(tags))
        if (source := read_origin(origin)) is not None:
            changes["origin"] = {"source": source.source}
        await self._benchmarks.update_prompt(found.id, changes)
        self._read = None

    async def update(self, min_assets_per_prompt: int) -> None:
        """Have the platform warn about models with fewer samples than this for a prompt.

        Args:
            min_assets_per_prompt: At least 2.
        """
        least = min_assets_per_prompt
        if not is_whole(least, 2):
            problem = f"min_assets_per_prompt: must be a whole number, at least 2, not {least!r}"
            raise ValidationError("The benchmark's new settings", [problem])
        await self._benchmarks.update(self.id, {"minAssetsPerPrompt": least})

    async def get_tag_counts(self) -> pandas.DataFrame:
        """How many prompts carry each tag: ``value, category, prompt_count``."""
        import pandas

        rows = [tag.model_dump() for tag in (await self._benchmarks.tags(self.id)).tags]
        return pandas.DataFrame(rows, columns=pandas.Index(["value", "category", "prompt_count"]))

    async def create_leaderboard(
        self,
        name: str,
        instruction: str,
        show_prompt: bool = False,
        show_prompt_asset: bool = False,
        inverse_ranking: bool = False,
        level_of_detail: LevelOfDetail | int | None = None,
        min_responses_per_matchup: int | None = None,
        audience_id: str | HasId | None = None,
        settings: Sequence[Setting] | None = None,
        included_tags: Sequence[str] | None = None,
        excluded_tags: Sequence[str] | None = None,
        vote_aggregation: VoteAggregation | str = VoteAggregation.MAJORITY_VOTE,
        skip_initial_run: bool = False,
        key: str | None = None,
    ) -> AsyncRapidataLeaderboard:
        """Rank the models under a question. This costs money when models are there already.

        With a key this returns the leaderboard that the key has in this benchmark; without one
        every call creates a leaderboard.

        Args:
            name: The leaderboard's name; labelers never see it.
            instruction: What labelers are asked about two samples.
            show_prompt: Whether they see the prompt.
            show_prompt_asset: Whether they see the media of the prompt.
            inverse_ranking: The model that is chosen loses, as in "which is worse?".
            level_of_detail: ``debug``, ``low``, ``medium``, ``high``, ``very high``, or a number
                of answers per evaluation; None leaves it to the platform.
            min_responses_per_matchup: Answers to each comparison, at least 3.
            audience_id: Who answers: an id, or any kind of audience; everybody by default.
            settings: How the tasks are shown.
            included_tags: Only use prompts with one of these tags.
            excluded_tags: Never use prompts with one of these tags.
            vote_aggregation: Whether each matchup counts once, or each vote.
            skip_initial_run: Do not compare the models that are there already.
            key: The identity of the leaderboard, the same over retries and restarts.

        Raises:
            ValidationError: Something is wrong with the arguments; nothing was sent.
            KeyConflictError: The key has a leaderboard that asks something else.
            AmbiguousSubmissionError: It is unknown whether the leaderboard was created.
        """
        detail = LeaderboardSettings(
            name, level_of_detail, min_responses_per_matchup, vote_aggregation
        )
        problems = [*blank("name", name), *blank("instruction", instruction), *detail.problems()]
        audience = audience_id if isinstance(audience_id, str | None) else audience_id.id
        problems += [] if audience is None else blank("audience_id", audience)
        for argument, tags in (("included_tags", included_tags), ("excluded_tags", excluded_tags)):
            problems += [p.replace("tags:", f"{argument}:", 1) for p in wrong_tags(tags)]
        problems += [] if key is None else blank("key", key)
        if problems:
            raise ValidationError(f"The leaderboard {name!r}", problems)
        flags = [setting.wire() for setting in settings or ()]
        body = {
            "benchmarkId": self.id,
            "instruction": instruction,
            "showPrompt": show_prompt,
            "showPromptAsset": show_prompt_asset,
            "isInversed": inverse_ranking,
            "audienceId": audience,
            "featureFlags": flags or None,
            "includedTags": None if included_tags is None else list(included_tags),
            "excludedTags": None if excluded_tags is None else list(excluded_tags),
            "skipInitialRun": skip_initial_run,
            **detail.body(),
        }
        given = {field: value for field, value in body.items() if value is not None}
        if key is None:
            answer = await self._create_leaderboard(given)
        else:
            marker = key_marker(self._transport.settings.namespace, key)
            answer = await self._leaderboard_of(marker, {**given, "name": f"{name}{marker}"})
        return AsyncRapidataLeaderboard(self._transport, self.id, answer)

    async def add_model(
        self,
        name: str,
        media: Sequence[str],
        identifiers: Sequence[str] | None = None,
        prompts: Sequence[str] | None = None,
        data_type: Literal["media", "text"] = "media",
    ) -> AsyncBenchmarkParticipant:
        """Add a model with what it made. It is not evaluated, and costs nothing, until it is run.

        A model of the same name with the same media is not added again: it is returned, with
        whatever it lacked, and with the status that it has. So a program that is run again after a
        crash goes on where it stopped.

        Args:
            name: The model's name.
            media: Local paths, URLs, or texts.
            identifiers: The identifier of the prompt of each.
            prompts: The same, where prompts are their own identifiers.
            data_type: ``text`` when the media are texts.

        Raises:
            ValidationError: Something is wrong with the arguments; nothing was created.
            IncompleteUploadError: Some media did not get there. Its ``participant`` has the rest,
                its ``retry()`` sends what failed again.
        """
        participant, _ = await self._add(name, media, identifiers, prompts, data_type)
        return participant

    async def evaluate_model(
        self,
        name: str,
        media: Sequence[str],
        identifiers: Sequence[str] | None = None,
        prompts: Sequence[str] | None = None,
        data_type: Literal["media", "text"] = "media",
    ) -> AsyncBenchmarkParticipant:
        """Add a model and evaluate it on every leaderboard. This costs money, once.

        See :meth:`add_model` for arguments and errors; a model whose media are incomplete is not
        submitted, and one of the same name with the same media that was submitted is not submitted
        again. For new media under the names of old files, give the model another name.

        Returns:
            The model; :meth:`AsyncBenchmarkParticipant.wait` waits for its evaluation.
        """
        participant, samples = await self._add(name, media, identifiers, prompts, data_type)
        found = await self._model(name, samples, data_type, complete=True)
        if found is not None and found[0].id != participant.id:
            # Another runner had to wait too long for us to upload. Ours costs nothing yet.
            await self._drop(participant.id, name, found[0])
            participant = AsyncBenchmarkParticipant(self._transport, self.id, found[0])
        await participant.run()
        return participant

    async def run(self) -> None:
        """Evaluate all models that have media and were not submitted yet. This costs money.

        They are compared with each other and with those that were submitted before.

        Raises:
            AmbiguousSubmissionError: It is unknown whether they were submitted.
        """
        ready = [one for one in await self.participants if one.status in READY]
        # A runner that died before it uploaded anything has left one that the platform refuses.
        filled = [one for one in ready if one.status != "Created" or await one.has_media()]
        await submit(self._transport, self.id, filled)

    async def get_overall_standings(
        self,
        tags: Sequence[str] | None = None,
        leaderboard_ids: Sequence[str] | None = None,
        country: Sequence[str] | None = None,
        language: Sequence[str] | None = None,
        gender: Sequence[str] | None = None,
        age_bucket: Sequence[str] | None = None,
        occupation: Sequence[str] | None = None,
        run_id: str | None = None,
    ) -> pandas.DataFrame:
        """The models over all leaderboards, the best one first.

        See :meth:`AsyncRapidataLeaderboard.get_standings`; ``leaderboard_ids`` restricts which
        leaderboards count.
        """
        filters = vote_filters(
            tags=tags,
            leaderboard_id=leaderboard_ids,
            country=country,
            language=language,
            gender=gender,
            age_bucket=age_bucket,
            occupation=occupation,
            run_id=run_id,
        )
        return standings_frame(await self._benchmarks.standings(self.id, filters))

    async def get_win_loss_matrix(
        self,
        tags: Sequence[str] | None = None,
        participant_ids: Sequence[str] | None = None,
        leaderboard_ids: Sequence[str] | None = None,
        use_weighted_scoring: bool | None = None,
        country: Sequence[str] | None = None,
        language: Sequence[str] | None = None,
        gender: Sequence[str] | None = None,
        age_bucket: Sequence[str] | None = None,
        occupation: Sequence[str] | None = None,
        run_id: str | None = None,
    ) -> pandas.DataFrame:
        """How often the model of each row beat the model of each column, on all leaderboards.

        See :meth:`AsyncRapidataLeaderboard.get_win_loss_matrix`; ``participant_ids`` and
        ``leaderboard_ids`` restrict which models and leaderboards count.
        """
        filters = vote_filters(
            tags=tags,
            participant_id=participant_ids,
            leaderboard_id=leaderboard_ids,
            country=country,
            language=language,
            gender=gender,
            age_bucket=age_bucket,
            occupation=occupation,
            run_id=run_id,
        )
        weighted = weighting(use_weighted_scoring)
        return matrix_frame(await self._benchmarks.matrix(self.id, [*weighted, *filters]))

    async def delete(self) -> None:
        """Delete the benchmark with everything in it."""
        await self._benchmarks.delete(self.id)

    def view(self) -> None:
        """Open its page, where there is a browser."""
        show(self.url)

    async def _prompts(self) -> list[Prompt]:
        if self._read is None:
            read = [read_prompt(one) for one in await self._benchmarks.prompts(self.id)]
            self._read = sorted(read, key=lambda one: self._places.get(one.identifier, -1))
        return self._read

    async def _add_missing(self, prompts: Sequence[Prompt]) -> None:
        self._read = None
        held = set(await self.identifiers)
        await self.send_prompts([prompt for prompt in prompts if prompt.identifier not in held])

    async def _add_prompt(self, prompt: Prompt, file_names: Sequence[str]) -> None:
        named = [("identifier[eq]", prompt.identifier)]

        async def look() -> bool | None:
            held = await self._benchmarks.prompts(self.id, named)
            return prompt.identifier in {one.identifier for one in held} or None

        media = prompt.prompt_asset or []
        uploaded = dict(zip(media, file_names, strict=True))
        asset = asset_input(media, "media", uploaded) if media else None
        try:
            await self._benchmarks.add_prompt(self.id, prompt.body(asset))
        except ValidationError as error:
            # An identifier names one prompt: the platform has it from an attempt before.
            if error.status_code != _CONFLICT:
                raise
        except (TransportError, ServerError) as error:
            advice = "Call retry(): it leaves alone what the benchmark has."
            await find_out(look, error, request="POST …/prompt", advice=advice)

    async def _add(
        self,
        name: str,
        media: Sequence[str],
        identifiers: Sequence[str] | None,
        prompts: Sequence[str] | None,
        data_type: Literal["media", "text"],
    ) -> tuple[AsyncBenchmarkParticipant, list[SampleUpload]]:
        """A model's participant and what the model made; see :meth:`add_model`."""
        subject = f"The model {name!r}"
        samples = new_samples(subject, media, identifiers, prompts, data_type=data_type, name=name)
        known = await self.identifiers
        if any(sample.identifier not in known for sample in samples):
            # Somebody else may have added prompts since they were read.
            self._read = None
        unknown_identifiers(subject, samples, await self.identifiers)
        found = await self._model(name, samples, data_type)
        answer, missing = found or await self._new_model(name, samples, data_type)
        participant = AsyncBenchmarkParticipant(self._transport, self.id, answer)
        if missing:
            await participant.upload(missing, data_type)
        return participant, samples

    async def _model(
        self,
        name: str,
        samples: Sequence[SampleUpload],
        data_type: str,
        *,
        complete: bool = False,
    ) -> tuple[ParticipantAnswer, list[SampleUpload]] | None:
        """The participant that is this model, and what it lacks.

        Args:
            name: The model's name.
            samples: What it made.
            data_type: ``media`` or ``text``.
            complete: Pass over those that lack something.
        """
        lacking: dict[str, list[SampleUpload]] = {}
        same: list[ParticipantAnswer] = []
        for one in await self._named(name):
            try:
                held = await AsyncParticipantApi(self._transport).samples(one.id)
            except NotFoundError:
                # Another runner, of the same model, has just deleted its own.
                continue
            missing = missing_samples(held, samples, data_type)
            # What was submitted with less was another model.
            may_grow = one.status in READY and not complete
            if missing is not None and (may_grow or not missing):
                same.append(one)
                lacking[one.id] = missing
        found = model_to_adopt(same)
        return None if found is None else (found, lacking[found.id])

    async def _named(self, name: str) -> list[ParticipantAnswer]:
        """The participants of a name, whether or not the platform filters."""
        found = await self._benchmarks.participants(self.id, [("name[eq]", name)])
        return [one for one in found if one.name == name]

    async def _new_model(
        self, name: str, samples: Sequence[SampleUpload], data_type: str
    ) -> tuple[ParticipantAnswer, list[SampleUpload]]:
        """A participant for a model that seems to have none, and what it lacks.

        A participant costs nothing until it is submitted, so it is a ticket. The list shows them in
        the order of their creation, so whoever sees its own sees every older one. Which model an
        older one is shows as soon as its runner has uploaded something; that is waited for.
        """
        created = await self._create_participant(name)
        settle = self._transport.settings.settle

        async def shown() -> Sequence[ParticipantAnswer] | None:
            listed = await self._named(name)
            return listed if created in {one.id for one in listed} else None

        what = f"Participant {created} in the platform's list"
        listed = await until_settled(shown, what=what, seconds=settle)
        if listed is None:
            raise ServerError(
                f"Participant {created}, which was just created, is not in the platform's list "
                f"after {settle:.0f} s. So what others submit would not show either, and nothing "
                "was paid. If the lists are that late, set settle= (RAPIDATA_SETTLE)."
            )
        ours = next(one for one in listed if one.id == created)
        empty = [one for one in listed if may_be_filled(one) and age(one) < age(ours)]

        async def are_filled() -> bool | None:
            empty[:] = [one for one in empty if not await self._has_media(one)]
            return not empty or None

        # Once to show, once to upload.
        await until_settled(are_filled, what=f"The media of other {name!r}", seconds=2 * settle)
        found = await self._model(name, samples, data_type)
        if found is None:
            # What a runner that is gone has left is as good as a new one, and the oldest is the
            # same for everybody.
            found = min([*empty, ours], key=age), list(samples)
        if found[0].id != created:
            await self._drop(created, name, found[0])
        return found

    async def _has_media(self, answer: ParticipantAnswer) -> bool:
        """Whether it shows which model a participant is; nobody waits for one that was deleted."""
        try:
            return await AsyncBenchmarkParticipant(self._transport, self.id, answer).has_media()
        except NotFoundError:
            return True

    async def _drop(self, participant_id: str, name: str, kept: ParticipantAnswer) -> None:
        """Delete a participant that is not needed, because another one is the same model."""
        _log.warning("%r is participant %s already; deleting ours", name, kept.id)
        with suppress(NotFoundError):
            await AsyncParticipantApi(self._transport).delete(participant_id)

    async def _create_participant(self, name: str) -> str:
        async def look() -> str | None:
            # An unused one of the same name, whoever left it behind, is as good as a new one.
            unused = (one.id for one in await self._named(name) if one.status == "Created")
            return next(unused, None)

        try:
            return (await self._benchmarks.add_participant(self.id, name)).participant_id
        except (TransportError, ServerError) as error:
            advice = "Look at benchmark.participants before you add the model again."
            return await find_out(look, error, request="POST …/participants", advice=advice)

    async def _create_leaderboard(self, body: dict[str, Any]) -> LeaderboardAnswer:
        """Make the paid call once, and know afterwards what it did."""
        named = [("name[eq]", body["name"])]
        before = {one.id for one in await self._benchmarks.leaderboards(self.id, named)}
        request = "POST /leaderboard"
        advice = "Look at benchmark.leaderboards before you create it again."

        async def look() -> LeaderboardAnswer | None:
            found = await self._benchmarks.leaderboards(self.id, named)
            new = [one for one in found if one.id not in before and is_asked_for(one, body)]
            return only_one(new, request=request, advice=advice)

        try:
            created = await AsyncLeaderboardApi(self._transport).create(body)
        except (TransportError, ServerError) as error:
            return await find_out(look, error, request=request, advice=advice)
        return _leaderboard(body, created)

    async def _leaderboard_of(self, marker: str, body: dict[str, Any]) -> LeaderboardAnswer:
        """The leaderboard that a key has, or a new one."""

        async def look() -> LeaderboardAnswer | None:
            ending = [("name[ends_with]", marker), ("sort", "created_at")]
            found = await self._benchmarks.leaderboards(self.id, ending)
            check_names((one.name for one in found), marker)
            kept = leaderboard_to_adopt(found[0], body) if found else None
            for younger in found[1:]:
                _log.warning("a race made two leaderboards of a key; deleting %s", younger.id)
                # Another runner may be clearing up as well.
                with suppress(NotFoundError):
                    await AsyncLeaderboardApi(self._transport).delete(younger.id)
            return kept

        async def send() -> LeaderboardAnswer:
            return _leaderboard(body, await AsyncLeaderboardApi(self._transport).create(body))

        seconds = self._transport.settings.settle
        # What an earlier runner sent shows by then.
        clear = async_monotonic() + seconds
        found = await look()
        if found is not None:
            return found
        advice = "Create it again with the same key: that looks first."
        created = await sent_once(
            send, look, request="POST /leaderboard", seconds=seconds, advice=advice
        )
        # Another runner may have been a little faster, or a request of one that is gone.
        await async_sleep(max(0.0, clear - async_monotonic()))
        return await look() or created

    def __repr__(self) -> str:
        return f"RapidataBenchmark(id={self.id!r}, name={self.name!r})"


def _leaderboard(body: dict[str, Any], created: LeaderboardCreated) -> LeaderboardAnswer:
    """A leaderboard that was just created; nothing is asked after the payment."""
    return LeaderboardAnswer(
        id=created.id,
        name=body["name"],
        instruction=body["instruction"],
        show_prompt=body["showPrompt"],
        show_prompt_asset=body["showPromptAsset"],
        is_inversed=body["isInversed"],
        response_budget=created.response_budget,
        min_responses=created.min_responses,
        audience_id=body.get("audienceId", "global"),
        vote_aggregation=created.vote_aggregation,
        included_tags=body.get("includedTags"),
        excluded_tags=body.get("excludedTags"),
    )
