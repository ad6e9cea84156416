"""A result's numbers in an experiment tracker, outside of a trainer: through accelerate's trackers."""

from __future__ import annotations

from os import PathLike
from typing import Any, Final, Literal

from hope_bench.errors import HopeBenchError, short_reason
from hope_bench.files.result import Result
from hope_bench.files.validation import FromZero, checked
from hope_bench.integrations.tracked import tracked_numbers

Tracker = Literal["tensorboard", "wandb", "trackio"]

_PROJECT: Final = "hope-bench"


@checked
def log_result(
    result: Result,
    tracker: Tracker,
    *,
    run: str | None = None,
    project: str = _PROJECT,
    step: FromZero | None = None,
    folder: str | PathLike[str] = "runs/tensorboard",
    **more: Any,
) -> dict[str, float]:
    """Log a result's numbers (`tracked.tracked_numbers`) to "tensorboard", "wandb" or "trackio"; gives what was logged.

    `run` is the run's name there (None: the model's name), `step` the training step (None: the result's, else 0). TensorBoard's
    event file goes to FOLDER/RUN; the others have a `project` and take `more` as their own `init` does.

        log_result(score(run), "trackio", run="my-model")

    Of processes that were started together, each calls this, and the first one logs. Raises HopeBenchError for a tracker that is
    unknown or not installed.
    """
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    if tracker not in map(str, get_available_trackers()):
        raise HopeBenchError(f"{tracker} is not installed: pip install {tracker}.")
    name = run or result.model.name
    made = LOGGER_TYPE_TO_CLASS[tracker]
    numbers = tracked_numbers(result)
    main = PartialState().is_main_process  # accelerate's trackers need it in any case
    try:
        one = made(name, str(folder), **more) if made.requires_logging_directory else made(project, **{"name": name, **more})
        if not main:
            return numbers
        one.start()
        try:
            one.log(numbers, step=step if step is not None else result.run.step or 0)
        finally:
            one.finish()
    except Exception as error:  # noqa: BLE001 - a tracker's code can raise anything
        raise HopeBenchError(f"{tracker} could not log this ({short_reason(error)}). Nothing else is lost.") from None
    return numbers
