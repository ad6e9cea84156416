"""What comes from models: checkpoint folders, encoders, servers' replies over a real connection, and the texts of answers."""

from __future__ import annotations

import functools
import json
import shutil
import socket
import tempfile
import threading
from pathlib import Path

from PIL import Image

from hope_bench.adapters.choosing import make_adapter
from hope_bench.adapters.endpoint import Endpoint
from hope_bench.adapters.endpoint_failures import FAILURES
from hope_bench.adapters.endpoint_reply import check_answered, read_json, read_reply, tokens_of
from hope_bench.adapters.known import check_card, known_info
from hope_bench.adapters.thinking import separate
from hope_bench.adapters.yes_no_words import english_words, p_yes_of
from hope_bench.errors import HopeBenchError
from hope_bench.files.card import ModelCard
from hope_bench.files.language import read_language
from hope_bench.interchange.questions import read_question, wrapping
from hope_bench.scoring.conventions import CONVENTIONS
from hope_bench.scoring.parsing import parse_answer
from tests.fuzz.files import ASKED, Maker, file, kept, written

CONFIG = {
    "model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "text_config": {"model_type": "llama",
    "hidden_size": 8},
    "vision_config": {"model_type": "clip_vision_model", "hidden_size": 1024, "patch_size": 14, "image_size": 336},
    "quantization_config": {"quant_method": "gptq", "bits": 4}, "auto_map": {"AutoModel": "own.Own"}, "torch_dtype": "float16",
}  # fmt: skip
TENSORS = {"__metadata__": {"format": "pt"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
SHARDS = {"metadata": {"total_size": 4}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
LORA = {"peft_type": "LORA", "base_model_name_or_path": "base", "revision": None, "r": 8, "target_modules": ["q_proj"]}


def safetensors(head: object) -> bytes:
    said = json.dumps(head).encode()
    return len(said).to_bytes(8, "little") + said + bytes(4)


def card(folder: Path) -> ModelCard:
    return ModelCard(name="tiny", checkpoint=str(folder), device="cpu", path="plain")


def checked(folder: Path) -> int:
    """What is read of a checkpoint before transformers is imported."""
    check_card(card(folder), False)
    return 0 if known_info(card(folder)) is None else 1


def plain_checkpoint(folder: Path) -> Path:
    written(folder / "config.json", CONFIG)
    written(folder / "model.safetensors", safetensors(TENSORS))
    return folder


def sharded_checkpoint(folder: Path) -> Path:
    written(folder / "config.json", CONFIG)
    written(folder / "model.safetensors.index.json", SHARDS)
    for name in ("model-1.safetensors", "model-2.safetensors"):
        written(folder / name, safetensors(TENSORS))
    return folder


def lora_checkpoint(folder: Path) -> Path:
    base = plain_checkpoint(folder / "base")
    written(folder / "adapter_config.json", LORA | {"base_model_name_or_path": str(base)})
    written(folder / "adapter_model.safetensors", safetensors(TENSORS))
    return folder


@functools.cache
def tiny_checkpoint() -> tempfile.TemporaryDirectory[str]:
    """The tiny checkpoints, made once, and gone with the process."""
    from tests.checkpoints import save_checkpoint

    held = tempfile.TemporaryDirectory(prefix="fuzz")
    save_checkpoint("llava", Path(held.name) / "llava")
    return held


def llava(folder: Path) -> Path:
    return Path(shutil.copytree(Path(tiny_checkpoint().name) / "llava", folder / "llava"))


def adapted_llava(folder: Path) -> Path:
    """The same with an adapter beside it."""
    import peft
    import torch
    from transformers import AutoModelForImageTextToText

    whole = llava(folder)
    torch.manual_seed(0)
    given = peft.LoraConfig(r=2, target_modules=["q_proj"])
    peft.get_peft_model(AutoModelForImageTextToText.from_pretrained(whole), given).save_pretrained(folder / "lora")
    for name in ("tokenizer.json", "tokenizer_config.json", "processor_config.json", "chat_template.jinja"):
        shutil.copy(whole / name, folder / "lora" / name)
    told = json.loads((folder / "lora" / "adapter_config.json").read_text())
    written(folder / "lora" / "adapter_config.json", told | {"base_model_name_or_path": str(whole)})
    return folder / "lora"


def loaded(folder: Path) -> int:
    made = make_adapter(card(folder), lambda _: None)
    made.load()
    return 1


def clip(folder: Path) -> Path:
    return Path(shutil.copytree("benchmarks/demo/clip", folder / "clip"))


def encoder(folder: Path) -> int:
    from hope_bench.clip.encoder import load_encoder

    load_encoder(f"local-dir:{folder}", "cpu")
    return 1


CHECKPOINTS: dict[str, Maker] = {
    "checkpoint's config": kept(plain_checkpoint, "config.json", checked),
    "checkpoint's weights": kept(plain_checkpoint, "model.safetensors", checked),
    "checkpoint's index": kept(sharded_checkpoint, "model.safetensors.index.json", checked),
    "checkpoint's adapter": kept(lora_checkpoint, "adapter_config.json", checked),
    "checkpoint's adapter weights": kept(lora_checkpoint, "adapter_model.safetensors", checked),
}  # fmt: skip
LOADED: dict[str, Maker] = {
    **{
        f"loaded {name}": kept(llava, name, loaded)
        for name in (
            "config.json", "generation_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
            "chat_template.jinja",
            "model.safetensors",
        )
    },
    **{f"loaded {name}": kept(adapted_llava, name, loaded) for name in ("adapter_config.json", "adapter_model.safetensors")},
    **{f"encoder's {name}": kept(clip, name, encoder) for name in ("open_clip_config.json", "open_clip_model.safetensors",
    "bpe.txt.gz")},
}  # fmt: skip
"""Read by transformers and open_clip: a second each."""


TOP = [{"token": token, "logprob": p, "bytes": None} for token, p in ((" Yes", -0.5), ("No", -1.6), ("It", -2.3))]
REPLY = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes, there is.", "refusal": None},
         "logprobs": {"content": [{"token": "Yes", "logprob": -0.5, "top_logprobs": TOP}]}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11,
    "completion_tokens_details": {"reasoning_tokens": 0}},
}  # fmt: skip
THOUGHT = {
    "choices": [{"finish_reason": "length", "native_finish_reason": "MAX_TOKENS", "message": {
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "No?"}]}, {"type": "text",
        "text": "<think>a</think>Yes"}, "x",
                    {"type": "refusal", "refusal": "no"}],
        "reasoning_content": "I see", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}}],
    "usage": {"completion_tokens_details": {"reasoning_tokens": 7}},
}  # fmt: skip
REFUSED = {"error": {"message": 'Unexpected keys: {"logprobs"} max allowed: 5 {"error": {"message": "x"}}',
"type": "invalid_request_error",
                     "param": "top_logprobs", "code": "400",
                     "metadata": {"raw": '{"error": {"message": "Unsupported", "param": "temperature"}}'},
                     "details": [{"fieldViolations": [{"field": "logprobs", "description": "no"}]}]},
           "detail": [{"loc": ["body", "logprobs"], "msg": "Extra", "input": True}]}  # fmt: skip
BLOCKED = [{"promptFeedback": {"blockReason": "SAFETY"}, "choices": None, "object": "error", "code": 400, "message": "Unable"}]
STREAM = b'data: {"choices": [{"index": 0, "delta": {"content": "Yes"}}]}\n\ndata: [DONE]\n\n'


def http(body: object, status: str = "200 OK", kind: str = "application/json") -> bytes:
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said
    )


class Says:
    """A server on this machine that says the same bytes to whoever asks."""

    def __init__(self) -> None:
        self.said = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            try:
                with connection:
                    connection.settimeout(5)
                    self._read(connection)
                    connection.sendall(self.said)
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    @staticmethod
    def _read(connection: socket.socket) -> None:
        """All of a request: a connection that is closed with something unread is reset."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += connection.recv(1 << 16) or b"\r\n\r\n"
        head, _, body = got.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            if not (more := connection.recv(1 << 16)):
                return
            body += more


@functools.cache
def server() -> Says:
    """One for all (made where it is used: threads don't live through a fork)."""
    return Says()


PICTURE = Image.new("RGB", (8, 6), "grey")


def endpoint(path: Path) -> Endpoint:
    server().said = path.read_bytes()
    told = ModelCard(name="m", adapter="endpoint", checkpoint="m", base_url=server().url, attempts=1, timeout=10, concurrency=1)
    return Endpoint(told)


def asked(path: Path) -> int:
    """A question to a server that says what a file holds; its error is the refusal."""
    model = endpoint(path)
    try:
        (found,) = model.answer([(PICTURE, ASKED)])
    finally:
        model.close()
    if found.error is not None:
        raise HopeBenchError(found.error)
    parse_answer(found.text or "", ASKED)
    return 1


def greeted(path: Path) -> int:
    model = endpoint(path)
    try:
        model.load()
    finally:
        model.close()
    return 1


def read_alone(path: Path) -> int:
    """The body of a reply, without a connection."""
    try:
        data = read_json(path.read_bytes())
        tokens_of(data)
        reply = read_reply(data)
        check_answered(reply, 16)
    except FAILURES as error:
        raise HopeBenchError(str(error)) from None
    separate(reply.text, thinks=True, finished=reply.ending != "cut off")
    if reply.alternatives is not None:
        p_yes, mass = p_yes_of(reply.alternatives, english_words())
        assert p_yes is None or 0 <= p_yes <= 1
        assert mass is None or 0 <= mass <= 1.000001
    return 1


BODIES = {"answer": REPLY, "thoughts": THOUGHT, "refusal": REFUSED, "blocked": BLOCKED}
REPLIES: dict[str, Maker] = {
    **{f"reply: {name}": file("reply.json", body, read_alone) for name, body in BODIES.items()},
    "sent: answer": file("reply.http", http(REPLY), asked),
    "sent: thoughts": file("reply.http", http(THOUGHT), asked),
    "sent: stream": file("reply.http", http(STREAM, kind="text/event-stream"), asked),
    "sent: refusal": file("reply.http", http(REFUSED, "400 Bad Request"), asked),
    "sent: busy": file("reply.http", http(BLOCKED, "503 Busy\r\nRetry-After: 3"), asked),
    "sent: page": file("reply.http", http(b"<html><title>502</title><p>Bad &amp; gateway</p></html>", "502 Bad", "text/html"),
    asked),
    "models of a server": file("reply.http", http({"object": "list", "data": [{"id": "m", "object": "model"}]}), greeted),
}  # fmt: skip


@functools.cache
def german() -> object:
    return read_language("de").answers


def text_of(path: Path) -> str:
    """Text that also holds halves of characters, as JSON may."""
    return path.read_bytes().decode(errors="surrogateescape")


def parsed(path: Path) -> int:
    """An answer's text, by every convention; and as what it is an answer to."""
    text = text_of(path)
    verdicts = {convention.parse(text) for convention in CONVENTIONS.values()} | {
        parse_answer(text, ASKED),
        parse_answer("yes", text),
    }
    assert verdicts <= {"yes", "no", "unparsed"}
    separate(text)
    separate(text, opened=True, thinks=True, finished=False)
    return 1


def question_read(path: Path) -> int:
    text = text_of(path)
    found = read_question(text)
    wrapping(text, "dog")
    return 0 if found is None else 1


ANSWERS = (
    b"No, there is no dog in the image. However, I see a cat (yes, one) and two people; so the answer is: **Yes**.\n\\boxed{yes}",
    b'<think>Hm, is it a dog? No...</think>\n{"answer": "yes", "reason": "It isn\'t hidden"}\nFinal answer: B) no.',
    "I’m sorry, I can’t tell whether there’s a dog – the image could not be loaded. Nein, es gibt keinen Hund.".encode(),
)
SAID: dict[str, Maker] = {
    **{f"answer {number}": file("answer.txt", text, parsed) for number, text in enumerate(ANSWERS, 1)},
    "question": file("question.txt", b"<image>\nIs there a dining table in the image? Please answer yes or no. A) yes B) no",
    question_read),
}  # fmt: skip
