"""hope-bench in training: a callback for transformers' Trainer that asks the model a benchmark's questions now and then."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate.utils import DistributedType
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from hope_bench.adapters.given import adapter_of, card_of
from hope_bench.adapters.loaded_model import NOT_WHOLE, unwrapped
from hope_bench.annotations.of_benchmark import check_images_folder, images_folder
from hope_bench.api.making import PathOr, hub_images, load_benchmark
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark
from hope_bench.files.validation import Count, checked
from hope_bench.inference.engine import EvaluateOptions, evaluate, plan_run, run_folder
from hope_bench.integrations.tracked import PREFIX, tracked_numbers
from hope_bench.processes import Processes, join_processes, words
from hope_bench.provenance import check_folder
from hope_bench.scoring.score import score

logger = logging.getLogger("hope_bench")

FAILED = "failed"
"""Logged with every evaluation, after the prefix: 1 where it failed, else 0."""

_LONGEST_NAME = 180
"""Letters of a training run's name; the runs of its steps are called by it."""


class HopeBenchCallback(TrainerCallback):  # type: ignore[misc]
    """Evaluates the model in training and logs the numbers through its trainer, to whatever that reports to.

    Made of the trainer, as the trainer is what logs:

        trainer.add_callback(HopeBenchCallback(trainer, "hope-coco", images="val2014", every=500, limit=60))

    Logged are `tracked.tracked_numbers` and `hope_bench/failed`. transformers' integrations put `train/` before the names. The
    answers go to RUNS/BENCHMARK/NAME-step-N, with run and step as the model's identity: another training of that name asks anew.
    The model is asked as it is, in the number format of its weights without autocast (where they are of several, under the
    trainer's), and left as it was; so the weights after training are those of the same training without the callback.
    The processes of DDP share the questions. An evaluation
    that fails, in whichever process, is a warning and `hope_bench/failed`, and training goes on.
    """

    @checked
    def __init__(
        self,
        trainer: Trainer,
        benchmark: Benchmark | PathOr,
        *,
        every: Count | Literal["epoch", "evaluate"] = "epoch",
        limit: Count | None = None,
        splits: Sequence[str] = (),
        at_start: bool = False,
        images: PathOr | None = None,
        processor: Any = None,
        name: str | None = None,
        prefix: str = PREFIX,
        runs: PathOr = "runs",
        **settings: Any,
    ) -> None:
        """`every` is a number of steps (the last step counts, too), "epoch", or "evaluate": whenever the trainer evaluates; with
        `at_start` also before the first step. `limit` is the questions of each split, `splits` the splits to ask (empty: all),
        `images` the images folder (None: the one it was generated from), `processor` the model's (None: the trainer's
        `processing_class`), `name` the training run's (None: the trainer's run_name, else the name of its output folder),
        `prefix` what the names of logged numbers begin with: a second callback needs another one. `settings`
        are those of `given.card_of`, such as `batch_size`.

        Raises HopeBenchError where the evaluation could not work at all: weights spread over processes (FSDP, ZeRO-3), a model
        that takes no images, an unknown benchmark or split, a folder without its images.
        """
        self._trainer, self._every, self._at_start, self._prefix = trainer, every, at_start, prefix
        self._asked_at: int | None = None
        _check_whole(trainer)
        check_folder(Path(runs))
        self._processor = processor if processor is not None else trainer.processing_class
        arguments = trainer.args
        self._name = name or Path(arguments.run_name or arguments.output_dir).resolve().name
        if len(self._name) > _LONGEST_NAME:
            raise HopeBenchError(
                f"The training run's name has {len(self._name)} letters. Give one of {_LONGEST_NAME} at most (name=)."
            )
        settings = {key: value for key, value in settings.items() if value is not None}
        self._card = card_of(unwrapped(trainer.model), self._name, **settings)
        adapter_of(trainer.model, self._processor, self._card, identity="not trained yet")
        self._benchmark = load_benchmark(benchmark)
        images = hub_images(self._benchmark, images)
        self._options = EvaluateOptions(
            images=None if images is None else Path(images), limit=limit, splits=tuple(splits), runs=Path(runs), progress="quiet"
        )
        _, _, plan = plan_run(self._benchmark, self._card, self._options)
        names = list(dict.fromkeys(request.image for request in plan.requests))
        check_images_folder(images_folder(self._benchmark, self._options.images), names, self._benchmark)
        self._training: str | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        """Evaluate before the first step, if asked to. Raises HopeBenchError where two callbacks would write or log over each
        other, and for a trainer of another model than the one this was made of."""
        del args
        self._check_alone(more.get("model"))
        self._training, self._asked_at = None, None
        if self._at_start and not state.global_step:
            self._evaluate(state, control)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate every so many steps, and after the last one."""
        del args
        last = state.global_step >= state.max_steps or control.should_training_stop
        if isinstance(self._every, int) and (state.global_step % self._every == 0 or last):
            self._evaluate(state, control)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate after an epoch, or after a step that turned out to be the last (early stopping)."""
        del args
        if self._every == "epoch" or (isinstance(self._every, int) and control.should_training_stop):
            self._evaluate(state, control)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Evaluate when the trainer does."""
        del args
        if self._every == "evaluate":
            self._evaluate(state, control)

    def _check_alone(self, model: Any) -> None:
        trainer = self._trainer
        if model is not None and unwrapped(model) is not unwrapped(trainer.model):
            raise HopeBenchError("This callback was made of another trainer, whose model it would ask. Make one of this trainer.")
        for other in trainer.callback_handler.callbacks:
            if not isinstance(other, HopeBenchCallback) or other is self:
                continue
            if other._prefix == self._prefix:
                raise HopeBenchError(
                    f"Two callbacks would log numbers of the same names ({self._prefix}/...): give one a prefix=."
                )
            if (other._name, other._benchmark.name) == (self._name, self._benchmark.name):
                raise HopeBenchError(
                    f"Two callbacks would write the runs {self._name}-step-N of one benchmark: give one a name=."
                )

    def _evaluate(self, state: TrainerState, control: TrainerControl) -> None:
        if self._asked_at == state.global_step:  # evaluated already: on several sets, or as the last step of an epoch
            return
        self._asked_at = state.global_step
        try:
            # Weights of several formats go together in the trainer's autocast alone; all others are asked without it.
            with self._trainer.accelerator.autocast(), join_processes() as processes:
                numbers = self._asked(processes, state.global_step)
        except Exception as error:
            level = logging.WARNING if state.is_world_process_zero else logging.DEBUG  # the first one knows the others' reasons
            logger.log(level, "hope-bench could not evaluate step %d; training goes on. %s", state.global_step, words(error))
            logger.debug("Where it failed:", exc_info=error)
            numbers = {f"{self._prefix}/{FAILED}": 1.0}
            with suppress(Exception):
                torch.cuda.empty_cache()
        # Logging takes the trainer's own wish to log this step as fulfilled.
        wished = control.should_log
        self._trainer.log(numbers)
        control.should_log = wished

    def _asked(self, processes: Processes, step: int) -> dict[str, float]:
        if self._training is None:
            self._training = processes.by_first(lambda: uuid.uuid4().hex[:12])
        options = replace(self._options, name=f"{self._name}-step-{step}", step=step)
        card = self._card.model_copy(update={"checkpoint": f"{self._name}/checkpoint-{step}"})
        identity = f"{self._name} step {step} of training {self._training}"
        adapter = processes.together(
            lambda: adapter_of(self._trainer.model, self._processor, card, logger.info, identity=identity)
        )
        evaluate(self._benchmark, card, options, logger.info, adapter)
        return processes.by_first(lambda: self._numbers(run_folder(self._benchmark, card, options)))

    def _numbers(self, run: Path) -> dict[str, float]:
        numbers = tracked_numbers(score(self._benchmark, run), self._options.splits, self._prefix)
        return {**numbers, f"{self._prefix}/{FAILED}": 0.0}


def _check_whole(trainer: Any) -> None:
    """Raises HopeBenchError where each process has, or is about to have, a part of the model only."""
    state = trainer.accelerator.state
    deepspeed = getattr(state, "deepspeed_plugin", None)
    spread = (
        trainer.is_fsdp_enabled
        or trainer.is_fsdp_xla_enabled
        or (deepspeed is not None and deepspeed.zero_stage == 3)
        or state.distributed_type in (DistributedType.FSDP, DistributedType.MEGATRON_LM)
    )
    if spread:
        raise HopeBenchError(NOT_WHOLE)
