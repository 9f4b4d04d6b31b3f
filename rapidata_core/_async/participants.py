"""Participants: models in a benchmark, and the media that they made."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Literal

from rapidata_core._async.api.mri import AsyncBenchmarkApi, AsyncParticipantApi
from rapidata_core._async.contributions import in_words, send_each
from rapidata_core._async.transport import AsyncTransport
from rapidata_core._async.waiting import find_out, steady, wait_until
from rapidata_core.errors import (
    IncompleteUploadError,
    ServerError,
    TransportError,
    ValidationError,
    refuse_blank,
)
from rapidata_core.jobs.datapoint import asset_input
from rapidata_core.policy.benchmarks import (
    MAX_SUBMITTED,
    PRICE_UNITS,
    SUBMITTED,
    check_price,
    is_evaluated,
    new_samples,
    standing_of,
    standing_so_far,
    unknown_identifiers,
)
from rapidata_core.types import SampleUpload, Standing
from rapidata_core.wire.mri import ParticipantAnswer, StandingAnswer, UnderfilledWarning

_log = logging.getLogger("rapidata_core.mri")
_CONFLICT = 409
_DISABLED = "Disabled"


class AsyncBenchmarkParticipant:
    """A model in a benchmark.

    Attributes:
        id: The participant's id.
        name: The model's name.
        status: ``Created``, ``Submittable`` (it has media), ``Submitted`` or ``Disabled``, as it
            was when it was read; :meth:`reload` reads it anew.
        price: The model's price in USD per ``price_unit``, or None.
        price_unit: ``image``, ``video_second``, ``million_tokens`` or ``sample``; or None.
    """

    def __init__(
        self, transport: AsyncTransport, benchmark_id: str, answer: ParticipantAnswer
    ) -> None:
        self._transport = transport
        self._participants = AsyncParticipantApi(transport)
        self._benchmark_id = benchmark_id
        self.id = answer.id
        self._take(answer)

    async def reload(self) -> AsyncBenchmarkParticipant:
        """Read name, status and price anew."""
        self._take(await self._participants.get(self.id))
        return self

    async def upload_media(
        self,
        assets: Sequence[str],
        identifiers: Sequence[str],
        data_type: Literal["media", "text"] = "media",
    ) -> None:
        """Add media. Repeating this is safe: the platform keeps one copy.

        Args:
            assets: Local paths, URLs, or texts.
            identifiers: The identifier of the prompt of each.
            data_type: ``text`` when the assets are texts.

        Raises:
            ValidationError: Something is wrong with the arguments; nothing was sent.
            IncompleteUploadError: Some did not get there; its ``retry()`` sends those again.
        """
        subject = f"The media of {self.name!r}"
        samples = new_samples(
            subject, assets, identifiers, None, data_type=data_type, argument="assets"
        )
        known = await AsyncBenchmarkApi(self._transport).prompts(self._benchmark_id)
        unknown_identifiers(subject, samples, (prompt.identifier for prompt in known))
        await self.upload(samples, data_type)

    async def upload(
        self, samples: Sequence[SampleUpload], data_type: Literal["media", "text"] = "media"
    ) -> None:
        """Add samples that were checked; see :meth:`upload_media`."""
        is_text = data_type == "text"

        async def send(sample: SampleUpload, names: Sequence[str]) -> None:
            await self._add(sample, None if is_text else names[0])

        failures = await send_each(
            self._transport, samples, lambda sample: [] if is_text else [sample.media], send
        )
        if len(failures) < len(samples) and self.status == "Created":
            self.status = "Submittable"
        if not failures:
            return
        failed = [failure.item for failure in failures]
        raise IncompleteUploadError(
            f"{len(failures)} of {len(samples)} samples of {self.name!r} did not get to the "
            f"platform: {in_words(failures)}. The others are there, and nothing was submitted. "
            "Call retry(), or correct what failed and use participant.upload_media().",
            detailed_failures=failures,
            retry=lambda: self.upload(failed, data_type),
            participant=self,
        )

    async def missing_counts(self, identifiers: Sequence[str]) -> Counter[str]:
        """How many samples the platform lacks per identifier; empty when it has them all.

        Args:
            identifiers: One entry for each sample that there should be.
        """
        held = await self._participants.samples(self.id)
        # Subtraction of counters keeps what is above zero.
        return Counter(identifiers) - Counter(
            sample.identifier for sample in held if sample.id is not None
        )

    async def has_media(self) -> bool:
        """Whether the platform has any sample of it."""
        held = await self._participants.samples(self.id)
        return any(sample.id is not None for sample in held)

    async def run(self) -> None:
        """Submit the model for evaluation on every leaderboard. This costs money.

        A model that was submitted before is not submitted again.

        Raises:
            AmbiguousSubmissionError: It is unknown whether the model was submitted; see its status.
        """
        await self.reload()
        if self.status == SUBMITTED:
            _log.info("%r was submitted before", self.name)
            return
        await submit(self._transport, self._benchmark_id, [self])

    async def wait(
        self, timeout: float | None = None, poll_interval: float | None = None
    ) -> Standing:
        """Wait until the model is evaluated on all leaderboards of the benchmark.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            poll_interval: Seconds between looks; by default it grows with the time waited.

        Returns:
            How it stands over all leaderboards.

        Raises:
            WaitTimeoutError: It takes longer; wait again. A model that is alone in its benchmark
                is compared with nobody.
            ValidationError: The model was not submitted; see :meth:`run`.
        """
        polling = steady(poll_interval)
        await self.reload()
        if self.status != SUBMITTED:
            problem = f"is {self.status}, not {SUBMITTED}; submit it with run(), which costs money"
            raise ValidationError(f"participant {self.name!r}", [problem])
        seen: Sequence[StandingAnswer] = []

        async def look() -> Standing | None:
            nonlocal seen
            benchmarks = AsyncBenchmarkApi(self._transport)
            seen = (await benchmarks.standings(self._benchmark_id)).items
            done = any(item.id == self.id and is_evaluated(item) for item in seen)
            return standing_of(seen, self.id) if done else None

        return await wait_until(
            look,
            what=f"The evaluation of {self.name!r}",
            timeout=timeout,
            polling=polling,
            so_far=lambda: standing_so_far(seen, self.id),
        )

    async def rename(self, name: str) -> None:
        """Give the model another name."""
        refuse_blank(name=name)
        await self._participants.update(self.id, {"name": name})
        self.name = name

    async def set_price(self, price: float, unit: str) -> None:
        """Say what the model costs, for the chart of score against cost.

        Args:
            price: In USD per unit.
            unit: ``image``, ``video_second``, ``million_tokens`` or ``sample``.
        """
        check_price(price, unit)
        await self._participants.update(
            self.id, {"cost": float(price), "costUnit": PRICE_UNITS[unit]}
        )
        self.price, self.price_unit = float(price), unit

    async def clear_price(self) -> None:
        """Forget what the model costs."""
        await self._participants.update(self.id, {"cost": None, "costUnit": None})
        self.price, self.price_unit = None, None

    async def disable(self, keep_votes: bool = False) -> None:
        """Take the model out of evaluation and standings; :meth:`enable` brings it back.

        Args:
            keep_votes: Whether the votes about it that are there go on counting.
        """
        await self._participants.disable(self.id, keep_votes=keep_votes)
        self.status = _DISABLED

    async def enable(self) -> None:
        """Bring a disabled model back. Nothing happens to a model that is not disabled."""
        try:
            await self._participants.enable(self.id)
        except ValidationError:
            # The platform refuses to enable what is not disabled, also after a lost answer.
            await self.reload()
            if self.status == _DISABLED:
                raise
            return
        self.status = SUBMITTED

    async def delete(self) -> None:
        """Remove the model and its media for good."""
        await self._participants.delete(self.id)

    async def get_elo(self) -> float | None:
        """Its score over all leaderboards of the benchmark; None while there is none."""
        # Scores depend on the whole field, so all are asked for.
        standings = await AsyncBenchmarkApi(self._transport).standings(self._benchmark_id)
        for item in standings.items:
            if item.id == self.id and item.score is not None:
                return round(item.score, 2)
        return None

    def _take(self, answer: ParticipantAnswer) -> None:
        units = {unit: word for word, unit in PRICE_UNITS.items()}
        self.name = answer.name
        self.status = answer.status
        self.price = answer.cost
        unit = answer.cost_unit
        self.price_unit = None if unit is None else units.get(unit, unit)

    async def _add(self, sample: SampleUpload, file_name: str | None) -> None:
        uploaded = {} if file_name is None else {sample.media: file_name}
        asset = asset_input(sample.media, "media" if uploaded else "text", uploaded)
        try:
            await self._participants.add_sample(
                self.id, {"identifier": sample.identifier, "asset": asset}
            )
        except ValidationError as error:
            if error.status_code != _CONFLICT:
                raise
            _log.debug("the platform has the sample for %s already", sample.identifier)

    def __repr__(self) -> str:
        return f"BenchmarkParticipant(id={self.id!r}, name={self.name!r}, status={self.status!r})"


async def submit(
    transport: AsyncTransport,
    benchmark_id: str,
    participants: Sequence[AsyncBenchmarkParticipant],
) -> None:
    """Submit participants, as many at a time as the platform takes. This costs money.

    Raises:
        AmbiguousSubmissionError: It is unknown whether they were submitted.
    """
    api = AsyncParticipantApi(transport)
    for start in range(0, len(participants), MAX_SUBMITTED):
        batch = participants[start : start + MAX_SUBMITTED]
        ids = [participant.id for participant in batch]
        try:
            answer = await api.submit(ids)
        except ValidationError:
            # Perhaps another runner was faster.
            if not await _are_submitted(transport, benchmark_id, ids):
                raise
        except (TransportError, ServerError) as error:
            await find_out(
                partial(_are_submitted, transport, benchmark_id, ids),
                error,
                request="POST /participants/submit",
                advice="benchmark.run() submits whatever was not submitted; it looks before it "
                "pays.",
            )
        else:
            _warn(answer.min_assets_per_prompt_warning, batch)
        for participant in batch:
            participant.status = SUBMITTED


async def _are_submitted(
    transport: AsyncTransport, benchmark_id: str, ids: Sequence[str]
) -> bool | None:
    """True if all are, None if not."""
    # All are read: the ids of a hundred could be too long for a URL.
    read = await AsyncBenchmarkApi(transport).participants(benchmark_id)
    states = {one.id: one.status for one in read}
    return all(states.get(one) == SUBMITTED for one in ids) or None


def _warn(
    warning: UnderfilledWarning | None, participants: Sequence[AsyncBenchmarkParticipant]
) -> None:
    if warning is None:
        return
    names = {participant.id: participant.name for participant in participants}
    for participant in warning.underfilled_participants:
        prompts = ", ".join(
            f"{prompt.identifier!r} has {prompt.asset_count}"
            for prompt in participant.underfilled_prompts
        )
        _log.warning(
            "%r was submitted with fewer than %d samples for some prompts: %s",
            names.get(participant.participant_id, participant.participant_id),
            warning.min_assets_per_prompt,
            prompts,
        )
