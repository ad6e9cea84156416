"""Folders of weights that transformers can't read, recognised by the names of their files: what they are, and what to run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hope_bench.errors import counted, first_few

_BESIDE = "then copy config.json and the processor's files beside the weights"
_SHARDS = re.compile(r"_(?:optim|model)_states\.pt$")
"""What DeepSpeed calls the shards of its ZeRO stages."""
_STEP = re.compile(r"checkpoint-(\d+)")


def files_of(folder: Path) -> list[str]:
    """A folder's files and those of its folders, by their names in it ("global_step500/mp_rank_00_model_states.pt"); of a
    repository in Hugging Face's cache its snapshots', and of a folder of trainings their checkpoints', too."""
    deeper = (*folder.glob("snapshots/*/*"), *(path for name in _CONFIGS for path in folder.glob(f"*/*/{name}")))
    paths = (*deeper, *folder.glob("*/*"), *folder.iterdir())
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file())


def known_format(name: str, files: Iterable[str]) -> str | None:
    """Sentences about a folder, file or Hub repository called `name`, with these files and no weights that transformers reads:
    what it is and what to run; None where it is nothing known."""
    held = [PurePosixPath(file) for file in files]
    looks = (_gguf, _deepspeed, _fsdp, _steps, _another_format, _within, _without_a_model, _other_names)
    return next((told for look in looks if (told := look(name, held)) is not None), None)


def what_it_is(name: str, files: Iterable[str]) -> str:
    """`known_format`, or else what lies there and what a checkpoint is."""
    held = list(files)
    holds = f"it holds {first_few(held)}, and no config.json" if held else "it is empty"
    return known_format(name, held) or (
        f"{name} is no checkpoint in transformers' format: {holds}. Such a folder has config.json, model.safetensors and the "
        "processor's files; save_pretrained of model and processor writes them."
    )


def _gguf(name: str, held: list[PurePosixPath]) -> str | None:
    files = [file for file in held if file.suffix.lower() == ".gguf"]
    if not files:
        return None
    eyes = next((file for file in files if "mmproj" in file.name.lower()), PurePosixPath("MMPROJ.gguf"))
    weights = next((file for file in files if file != eyes), PurePosixPath("MODEL.gguf"))
    return (
        f"{name} holds llama.cpp's format (GGUF), which hope-bench asks through its server: llama-server -m {weights} --mmproj "
        f"{eyes}, and then hope-bench evaluate --base-url http://127.0.0.1:8080/v1 --model {weights.stem} (docs/servers.md)."
    )


def _deepspeed(name: str, held: list[PurePosixPath]) -> str | None:
    if not any(str(file) == "zero_to_fp32.py" or _SHARDS.search(file.name) for file in held):
        return None
    # The script lies beside the folder of a step's shards, and takes the folder that holds that one.
    inside = any(len(file.parts) == 1 and _SHARDS.search(file.name) for file in held)
    whole = str(PurePosixPath(name).parent) if inside else name
    return (
        f"{name} holds DeepSpeed's shards of a model. Put them together where DeepSpeed is installed: python "
        f"{whole}/zero_to_fp32.py {whole} {whole}-whole --safe_serialization; {_BESIDE}, and evaluate {whole}-whole."
    )


def _fsdp(name: str, held: list[PurePosixPath]) -> str | None:
    if any(str(file) == "pytorch_model_fsdp.bin" for file in held):
        return f"{name} holds a model that FSDP saved whole: call pytorch_model_fsdp.bin pytorch_model.bin, {_BESIDE}."
    shards = [file for file in held if file.suffix == ".distcp" and not file.parts[0].startswith("optimizer")]
    if not shards:
        return None
    folder = str(PurePosixPath(name) / shards[0].parent)
    return (
        f"{name} holds FSDP's shards of a model. Put them together: accelerate merge-weights {folder} {name}-whole; {_BESIDE}, "
        f"and evaluate {name}-whole."
    )


def _steps(name: str, held: list[PurePosixPath]) -> str | None:
    steps = {int(found[1]) for file in held if (found := _STEP.fullmatch(file.parts[0])) and len(file.parts) > 1}
    if not steps:
        return None
    return (
        f"{name} is a training's folder with {counted(len(steps), 'checkpoint')} in it and no model of its own: "
        "name one of them, such as "
        f"{PurePosixPath(name) / f'checkpoint-{max(steps)}'}."
    )


def _within(name: str, held: list[PurePosixPath]) -> str | None:
    """A checkpoint one folder further in: a repository of Hugging Face's cache, or what holds several models."""
    if any(str(file) in _CONFIGS for file in held):
        return None
    folders = sorted({str(PurePosixPath(name) / file.parent) for file in held if file.name in _CONFIGS})
    if not folders:
        return None
    cached = any(file.parts[0] == "snapshots" for file in held)
    what = "a repository in Hugging Face's cache" if cached else "no checkpoint itself"
    which = f"one lies in it: name {folders[0]}" if len(folders) == 1 else f"some lie in it: name one of {first_few(folders, 3)}"
    return f"{name} is {what}, and {which}."


_CONFIGS = ("config.json", "adapter_config.json")

_FORMATS = (
    (
        r"consolidated\.\d+\.pth",
        "the format of Meta's own code. Take the repository in transformers' format; where this folder is its original, that is "
        "the folder above",
    ),
    (
        r"params\.json|consolidated.*\.safetensors",
        "the format of Mistral's and Meta's own code. Take the repository with config.json (on the Hub often the one that ends "
        "in -hf), or serve it: vllm serve {name} --tokenizer-mode mistral --config-format mistral --load-format mistral, and "
        "then hope-bench evaluate --base-url (docs/servers.md)",
    ),
    (
        r"mm_projector\.bin|non_lora_trainables\.bin",
        "what LLaVA's own code trains beside a language model (a projector, an adapter). Merge it with that code's "
        "scripts/merge_lora_weights.py, and convert what comes out",
    ),
    (
        r".*\.nemo|latest_checkpointed_iteration\.txt",
        "the format of NeMo or Megatron. Write it in transformers' format by the exporter of the code that trained it",
    ),
    (r".*\.ckpt", "a checkpoint of PyTorch Lightning. Load it by its module, and write the model with save_pretrained"),
    (
        r"open_clip_config\.json|open_clip_(?:pytorch_)?model\.(?:bin|safetensors)",
        "an encoder of open_clip's, which answers no questions. It goes into generate: --clip",
    ),
    (
        r"model_index\.json|pytorch_lora_weights\.safetensors",
        "a pipeline of diffusers' or a part of one, which makes pictures. Take a vision-language model",
    ),
    (r".*\.onnx|openvino_.*\.xml|.*\.mlpackage", "an export (ONNX, OpenVINO ...). Take the checkpoint that it was made from"),
    (
        r".*\.npz",
        "the format of MLX. Take the checkpoint that it was made from, or serve it (mlx_vlm.server) and ask that with --base-url",
    ),
    (r"flax_model.*\.msgpack|tf_model.*\.h5", "weights for Flax or TensorFlow, which transformers no longer reads"),
)
"""The whole name of a file, and what it tells."""


def _another_format(name: str, held: list[PurePosixPath]) -> str | None:
    for pattern, what in _FORMATS:
        file = next((file for file in held if re.fullmatch(pattern, file.name)), None)
        if file is not None:
            return f"{name} holds {file}, {what.format(name=name)}."
    return None


_GOES_ON = re.compile(
    r"(?:optimizer|scheduler|scaler|training_args)\.(?:pt|bin)|rng_state.*\.pth|random_states_\d+\.pkl|trainer_state\.json"
)
"""What a Trainer keeps to go on with."""
_NAMED = re.compile(r"(?:pytorch_|adapter_)?model\b.*")
"""How the files of weights begin that transformers and peft look for."""


def _without_a_model(name: str, held: list[PurePosixPath]) -> str | None:
    kept = [file for file in held if _GOES_ON.fullmatch(file.name)]
    if not kept or _weights(held):
        return None
    return (
        f"{name} holds what a training goes on with ({first_few(kept, 2)}), and no weights. Name the folder that holds "
        "model.safetensors, or an adapter's adapter_model.safetensors."
    )


def _other_names(name: str, held: list[PurePosixPath]) -> str | None:
    """Weights of which nothing but the name tells, so what they are is the user's to know."""
    files = _weights(held)
    if not files or any(_NAMED.fullmatch(file.name) or file.name.endswith(".index.json") for file in held):
        return None
    what = "weights that only the code which saved them can read: load them there, and write them with save_pretrained"
    if files[0].suffix == ".safetensors":
        what = (
            "weights by a name that transformers doesn't look for: if they are a whole model's, as save_pretrained writes it, "
            "call them model.safetensors"
        )
    return f"{name} holds {files[0]}, {what}."


def _weights(held: list[PurePosixPath]) -> list[PurePosixPath]:
    return [file for file in held if file.suffix in (".safetensors", ".pt", ".pth", ".bin") and not _GOES_ON.fullmatch(file.name)]
