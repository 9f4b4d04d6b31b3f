"""The client."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

from rapidata_core._async.audiences import AsyncAnyAudience, AsyncAudiences
from rapidata_core._async.billing import AsyncBilling
from rapidata_core._async.context import AsyncContexts
from rapidata_core._async.definitions import AsyncJobs, AsyncRapidataJobDefinition
from rapidata_core._async.flows import AsyncFlows
from rapidata_core._async.mri import AsyncBenchmarks
from rapidata_core._async.orders import AsyncOrders
from rapidata_core._async.signals import AsyncSignals
from rapidata_core._async.submit import quote, submit, submit_definition
from rapidata_core._async.transport import AsyncTransport
from rapidata_core.config import Settings, rapidata_config
from rapidata_core.jobs import JobSpec, parse_job
from rapidata_core.policy.retry import RetryPolicy
from rapidata_core.policy.submission import Terms
from rapidata_core.types import CostEstimate, OnChanged, SpendCap, Submission


class AsyncRapidataClient:
    """The Rapidata platform.

    Making a client sends nothing: the first call logs in. A client may be used from any number of
    tasks or threads, and goes on working in forked processes.

    Attributes:
        audience: Who answers.
        job: What is asked, and the work on it.
        context: Long contexts made short.
        signals: Jobs on a schedule.
        flow: Batches that are ranked or classified as they come.
        mri: Benchmarks, in which models are ranked.
        billing: What was spent, what is owed, and what is left.
        order: Definitions that are run once, as the documents had them before; deprecated.
    """

    def __init__(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        environment: str | None = None,
        *,
        token_file: str | os.PathLike[str] | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        namespace: str | None = None,
        settle: float | None = None,
        retry: RetryPolicy | None = None,
        on_token: Callable[[str], object] | None = None,
    ) -> None:
        """Resolve settings: arguments, then ``RAPIDATA_*`` variables, then the credential file.

        Args:
            client_id: OAuth2 client id (``RAPIDATA_CLIENT_ID``).
            client_secret: OAuth2 client secret (``RAPIDATA_CLIENT_SECRET``).
            environment: ``rapidata.ai``, or the base URL of a sandbox (``RAPIDATA_ENVIRONMENT``).
            token_file: File through which processes share one token (``RAPIDATA_TOKEN_FILE``).
            ca_file: PEM file of the authority to trust (``SSL_CERT_FILE``).
            namespace: Keeps deployments that share an account from adopting each other's jobs
                (``RAPIDATA_NAMESPACE``).
            settle: Seconds within which a call that was sent is carried out, if it ever is, and
                shows in the platform's lists; 30 unless given (``RAPIDATA_SETTLE``). Paying once
                rests on it.
            retry: How patient requests are.
            on_token: Told each bearer token before it is used, in a thread: so that a program can
                keep it out of its logs.

        Raises:
            AuthenticationError: There are no credentials.
            ValidationError: The environment is no environment, or a ``RAPIDATA_*`` variable has a
                value that is none.
        """
        rapidata_config.check()
        self._transport = AsyncTransport(
            Settings.resolve(
                client_id=client_id,
                client_secret=client_secret,
                environment=environment,
                token_file=token_file,
                ca_file=ca_file,
                namespace=namespace,
                settle=settle,
            ),
            retry,
            on_token,
        )
        self.audience = AsyncAudiences(self._transport)
        self.job = AsyncJobs(self._transport)
        self.context = AsyncContexts(self._transport)
        self.signals = AsyncSignals(self._transport)
        self.flow = AsyncFlows(self._transport)
        self.mri = AsyncBenchmarks(self._transport)
        self.billing = AsyncBilling(self._transport)
        self.order = AsyncOrders(self._transport, self.job)

    async def submit(
        self,
        spec: JobSpec | Mapping[str, Any] | str,
        audience: AsyncAnyAudience | str,
        *,
        key: str,
        max_cost: float | None = None,
        attempt: int = 1,
        on_changed: OnChanged = "error",
        failure_tolerance: float = 0.0,
        cap: SpendCap | None = None,
    ) -> Submission:
        """Get the one paid job of a logical task: the one that it has already, or a new one.

        A job that has failed, is paused, or whose audience was deleted is still the key's job;
        delete it, or use another key, to pay for a new one.

        Args:
            spec: What to ask: a job spec, or what :func:`rapidata_core.parse_job` reads.
            audience: Whom to ask; an audience or its id.
            key: The identity of the logical task, the same over retries, restarts and machines.
            max_cost: Refuse to pay more than this, by the platform's estimate.
            attempt: Which attempt at the logical task this is, from 1, where the caller knows. From
                the second on, more time is left for what an earlier one may have begun.
            on_changed: What to do if the key only has a job that asks something else: ``error``,
                ``adopt`` that job as it is, or pay for a ``new`` one beside it.
            failure_tolerance: Share of the datapoints that may fail to be uploaded, 0 to 1; if
                more do, nothing is paid.
            cap: What all jobs may cost together whose keys begin alike.

        Raises:
            SubmissionConflictError: The key has a job that asks something else.
            BudgetExceededError: It would cost more than ``max_cost``, or than ``cap`` leaves; there
                is no new job.
            AmbiguousSubmissionError: It is unknown whether the job was created; submitting again
                with the same key finds out.
            FailedUploadException: Some datapoints could not be uploaded; nothing was paid.
        """
        return await submit(
            self._transport,
            parse_job(spec),
            audience if isinstance(audience, str) else audience.id,
            key,
            Terms(max_cost, attempt, on_changed, failure_tolerance, cap),
        )

    async def submit_definition(
        self,
        job_definition: AsyncRapidataJobDefinition | str,
        audience: AsyncAnyAudience | str,
        *,
        key: str,
        revision_number: int | None = None,
        max_cost: float | None = None,
        attempt: int = 1,
        on_changed: OnChanged = "error",
        cap: SpendCap | None = None,
    ) -> Submission:
        """Get the one paid job of a logical task that asks a definition which is there already.

        What :meth:`submit` promises holds here, too. The definition itself is not changed.

        Args:
            job_definition: What to ask; a definition or its id. It has to be there to pay, not to
                get the job that the key has already.
            audience: Whom to ask; an audience or its id.
            key: See :meth:`submit`.
            revision_number: Ask this revision of the definition; another one is other work.
                Without it, the key keeps its job when somebody saves a new revision, and what is
                paid is the revision that a given definition stands for, or of an id the latest one
                at that time.
            max_cost: See :meth:`submit`.
            attempt: See :meth:`submit`.
            on_changed: See :meth:`submit`.
            cap: See :meth:`submit`.

        Raises:
            NotFoundError: There is no such definition or revision, and no job of the key.
            RapidataError: See :meth:`submit`.
        """
        is_id = isinstance(job_definition, str)
        return await submit_definition(
            self._transport,
            job_definition if is_id else job_definition.id,
            audience if isinstance(audience, str) else audience.id,
            key,
            Terms(max_cost, attempt, on_changed, cap=cap),
            pinned=None if is_id else job_definition.pinned,
            revision_number=revision_number,
        )

    async def estimate(
        self,
        spec: JobSpec | Mapping[str, Any] | str,
        audience: AsyncAnyAudience | str,
        *,
        key: str | None = None,
    ) -> CostEstimate:
        """What a job would cost, by the platform's estimate. This costs nothing.

        The datapoints are uploaded for it, and no job is created.

        Args:
            spec: What to ask: a job spec, or what :func:`rapidata_core.parse_job` reads.
            audience: Whom to ask; an audience or its id.
            key: Keeps what was uploaded for :meth:`submit` with the same key; without one, the
                definition is deleted again.

        Raises:
            FailedUploadException: Some datapoints could not be uploaded.
        """
        audience_id = audience if isinstance(audience, str) else audience.id
        return await quote(self._transport, parse_job(spec), audience_id, key=key)

    async def aclose(self) -> None:
        """Close the connections; the next call opens new ones."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(environment={self._transport.settings.environment!r})"
