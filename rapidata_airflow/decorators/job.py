"""``@task.rapidata_job``: a function says what people are asked about."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.bases.decorator import (
    DecoratedOperator,
    task_decorator_factory,  # pyright: ignore[reportUnknownVariableType]
)

from rapidata_airflow.operators.job import RapidataJobOperator
from rapidata_core.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.bases.decorator import TaskDecorator

    from rapidata_core import JobSpec

_RETURNED = "what the function returns"


def rapidata_job_task(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool = False,
    **kwargs: Any,
) -> TaskDecorator:
    """Make a function a :class:`RapidataJobOperator`; DAGs say ``@task.rapidata_job``.

    The function returns the datapoints of ``job``: a list, a pandas DataFrame, or the path or URL
    of a file. Without ``job`` it returns a whole job: a ``JobSpec``, a mapping, or JSON or YAML
    text. It runs in every try, and once more when the answers are saved; within a DAG run it must
    return the same each time, or a retry fails and says that the task's job asks something else.

    Args:
        python_callable: The function.
        multiple_outputs: Whether each entry of the mapping that the task returns becomes an XCom of
            its own.
        **kwargs: See :class:`RapidataJobOperator`; ``datapoints`` and ``job_definition_id`` are the
            function's to say.

    Raises:
        ValidationError: An argument is wrong, or the function is a coroutine function.
    """
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=RapidataJobDecoratedOperator,
        **kwargs,
    )


class RapidataJobDecoratedOperator(  # pyright: ignore[reportIncompatibleMethodOverride]
    DecoratedOperator, RapidataJobOperator
):
    """A :class:`RapidataJobOperator` whose datapoints a function returns.

    Args:
        python_callable: The function; see :func:`rapidata_job_task`.
        job: What to ask; by default the function says that, too.
        **kwargs: See :class:`RapidataJobOperator`.
    """

    custom_operator_name = "@task.rapidata_job"
    template_fields: Collection[str] = (  # pyright: ignore[reportIncompatibleVariableOverride]
        *DecoratedOperator.template_fields,
        *(name for name in RapidataJobOperator.template_fields if name != "datapoints"),
    )
    template_fields_renderers = {
        **DecoratedOperator.template_fields_renderers,
        **RapidataJobOperator.template_fields_renderers,
    }

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        job: JobSpec | Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        _check(python_callable, kwargs)
        self._returns_job = job is None
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            python_callable=python_callable,
            job=_RETURNED if job is None else job,
            datapoints=_RETURNED,
            **kwargs,
        )

    def _spec(self, context: Context) -> JobSpec | None:
        if not self._returns_job:
            return super()._spec(context)
        from rapidata_core import parse_job

        return parse_job(self._returned(context))

    def _datapoints(self, context: Context) -> Any:
        return self._returned(context)

    def _returned(self, context: Context) -> Any:
        function = cast("Callable[..., Any]", self.python_callable)  # pyright: ignore[reportUnknownMemberType]
        return function(*self.op_args, **self.determine_kwargs({**context, **self.op_kwargs}))


def _check(python_callable: Callable[..., Any], arguments: Collection[str]) -> None:
    problems = [
        f"{name}: what the function returns says it"
        for name in ("datapoints", "job_definition_id", "revision_number")
        if name in arguments
    ]
    if inspect.iscoroutinefunction(python_callable):
        problems.append("must be decorated without async: nothing would await it")
    if problems:
        raise ValidationError(f"@task.rapidata_job {python_callable.__name__}", problems)
