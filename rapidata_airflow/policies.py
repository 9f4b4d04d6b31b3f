"""When a task that failed is tried again (Airflow 3.3 and later)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rapidata_airflow.outcomes import Outcome, RapidataTaskError, outcome_of
from rapidata_airflow.version import AIRFLOW_3_3
from rapidata_core.errors import RapidataError, RateLimitedError, ValidationError

if TYPE_CHECKING or AIRFLOW_3_3:
    from airflow.sdk import RetryDecision, RetryPolicy
else:
    # Importing this module must work everywhere; using it need not.
    RetryPolicy = object

if TYPE_CHECKING:
    from airflow.sdk import Context

_FIRST_DELAY = timedelta(seconds=30)
_LONGEST_DELAY = timedelta(minutes=10)


class RapidataRetryPolicy(RetryPolicy):
    """Try again when that makes sense: ``RapidataJobOperator(retries=…, retry_policy=…)``.

    * Somebody has to act on the platform: after a long delay.
    * The wait timed out: at once; the work goes on, and the next try waits for it.
    * The platform limits the rate: when it says.
    * Anything else about the platform that may pass: after 30 seconds, doubled with each try up to
      10 minutes.
    * No retry can mend it: never.
    * Any other exception: as the task's ``retry_delay`` says.

    Args:
        attention_delay: How long to wait for somebody to act.

    Raises:
        ValidationError: The delay is negative, or this Airflow has no retry policies.
    """

    def __init__(self, attention_delay: timedelta = timedelta(minutes=30)) -> None:
        problems: list[str] = []
        if not AIRFLOW_3_3:
            problems.append("needs Airflow 3.3; before it, give the task a retry_delay")
        if attention_delay < timedelta(0):
            problems.append(f"attention_delay: must not be negative, as is {attention_delay}")
        if problems:
            raise ValidationError("RapidataRetryPolicy", problems)
        self.attention_delay = attention_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide about the next try; Airflow asks, and counts the tries.

        Args:
            exception: Why the task failed: this package's own, or an error of the client.
            try_number: Which try it was, from 1.
            max_tries: Not considered.
            context: Not considered.
        """
        if isinstance(exception, RapidataTaskError):
            outcome = exception.outcome
        elif isinstance(exception, RapidataError):
            outcome = outcome_of(exception)
        else:
            return RetryDecision.default()
        if outcome is Outcome.FAILED:
            return RetryDecision.fail(str(exception))
        return RetryDecision.retry(self._delay(outcome, exception, try_number), str(exception))

    def serialize(self) -> dict[str, Any]:
        """The policy as JSON."""
        return {"attention_delay": self.attention_delay.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RapidataRetryPolicy:
        """The policy from what :meth:`serialize` returned."""
        return cls(timedelta(seconds=data["attention_delay"]))

    def _delay(self, outcome: Outcome, error: BaseException, try_number: int) -> timedelta:
        if outcome is Outcome.NEEDS_ATTENTION:
            return self.attention_delay
        if outcome is Outcome.TIMEOUT:
            return timedelta(0)
        cause = error.__cause__ if isinstance(error, RapidataTaskError) else error
        if isinstance(cause, RateLimitedError) and cause.retry_after is not None:
            return timedelta(seconds=cause.retry_after)
        # Ten doublings are more than the longest delay.
        return min(_FIRST_DELAY * 2 ** min(try_number - 1, 10), _LONGEST_DELAY)
