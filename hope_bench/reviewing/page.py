"""The review page: Gradio, served to this machine alone, with nothing loaded from anywhere else."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hope_bench.errors import HopeBenchError
from hope_bench.reviewing import fragments
from hope_bench.reviewing.picture import Pictures
from hope_bench.reviewing.session import Session
from hope_bench.search.decisions import Verdict

if TYPE_CHECKING:
    from types import FrameType

    import gradio as gr
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
_NARROW = "@media (max-width: 40rem) { .gradio-container .app { padding: 0 !important; } }"
"""On phones the picture gets the room. Gradio's `css` applies further in and can't say this."""
_BUTTONS: dict[Verdict, str] = {"present": "There", "absent": "Not there", "unsure": "Unsure"}
"""The decisions in their order, and what the buttons say until a claim is shown."""
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; form-action 'self'"
)
"""Gradio asks for nothing from the internet here; should a version of it, the browser refuses."""


def serve(session: Session, pictures: Pictures, port: int, ready: Callable[[str], None] | None = None) -> None:
    """Serve the page on this machine until interrupted; `ready` is called with its address.

    Raises HopeBenchError where Gradio is not installed or the port is taken.
    """
    app = review_app(session, pictures)
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that open pages are cut off then is no error
            super().handle_exit(sig, frame)

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()  # from here on a browser waits, where it would be refused before the server is up
        except OSError as error:
            raise HopeBenchError(f"Port {port} can't be used ({error.strerror or error}). Choose another with --port.") from None
        if ready is not None:
            ready(f"http://{HOST}:{listener.getsockname()[1]}/")
        Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])


def review_app(session: Session, pictures: Pictures) -> FastAPI:
    """The page as an application. Raises HopeBenchError where Gradio is not installed."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio as gr
    except ModuleNotFoundError as error:
        missing = f"The review page needs Gradio ({error.name} is missing)"
        raise HopeBenchError(f"{missing}: pip install 'hope-bench[review]'") from None
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    assets = Path(__file__).parent / "assets"
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(_Headers)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # no other site's name may lead here
    script = (assets / "keys.js").read_text(encoding="utf-8")
    mounted = gr.mount_gradio_app(
        app, _blocks(session, pictures), path="/", server_name=HOST, ssr_mode=False, footer_links=[], pwa=False,
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=(assets / "review.css").read_text(encoding="utf-8"), head=f"<style>{_NARROW}</style><script>{script}</script>",
    )  # fmt: skip
    return cast("FastAPI", mounted)


class _Controls:
    """What the page's controls do. Each returns what the page then shows, in the order of `_blocks`' outputs; `place` is the
    claim that a tab shows, and a decision is always on that one."""

    def __init__(self, session: Session, pictures: Pictures) -> None:
        self._session = session
        self._pictures = pictures

    def show(self, place: int | None, boxes: bool) -> tuple[Any, ...]:
        import gradio as gr

        session, pictures = self._session, self._pictures
        rest = (fragments.progress(session), gr.update(interactive=session.counts().total() > 0))
        if place is None:
            return None, "", fragments.finished(session), "", *rest, *(gr.update(interactive=False) for _ in _BUTTONS)
        claim = session.queue[place]
        labels = fragments.verdict_words(claim)
        buttons = [gr.update(value=labels[verdict], interactive=True) for verdict in _BUTTONS]
        words = fragments.claim(place, claim), fragments.facts(pictures, claim, session.blind)
        return place, fragments.picture(pictures, claim, boxes), *words, *rest, *buttons

    def show_next(self, boxes: bool) -> tuple[Any, ...]:
        return self.show(self._session.next(), boxes)

    def decide(self, verdict: Verdict) -> Callable[[int | None, bool], tuple[Any, ...]]:
        def decided(place: int | None, boxes: bool) -> tuple[Any, ...]:
            if place is not None:
                self._session.decide(place, verdict)
            return self.show_next(boxes)

        return decided

    def undo(self, place: int | None, boxes: bool) -> tuple[Any, ...]:
        back = self._session.undo()
        return self.show(place if back is None else back, boxes)


def _blocks(session: Session, pictures: Pictures) -> gr.Blocks:
    """The page's layout, and its controls tied to what they do."""
    import gradio as gr

    controls = _Controls(session, pictures)
    blocks = gr.Blocks(title="Review", analytics_enabled=False, fill_width=True)
    with blocks:
        place = gr.State(None)
        with gr.Row(elem_id="review", equal_height=False):
            with gr.Column(scale=3, min_width=320):
                picture = gr.HTML(elem_id="picture")
            with gr.Column(scale=2, min_width=320):
                progress = gr.HTML(elem_id="progress")
                claim = gr.HTML(elem_id="claim")
                with gr.Row(elem_id="verdicts"):
                    buttons = [gr.Button(words, elem_id=verdict, min_width=60) for verdict, words in _BUTTONS.items()]
                with gr.Row(elem_id="tools"):
                    undo = gr.Button("Undo (Z)", elem_id="undo", size="sm", min_width=60, scale=0)
                    boxes = gr.Checkbox(
                        value=not session.blind, label="Boxes of annotated objects (B)", elem_id="boxes", container=False
                    )
                facts = gr.HTML(elem_id="facts")
        outputs = [place, picture, claim, facts, progress, undo, *buttons]
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "outputs": outputs}
        blocks.load(controls.show_next, inputs=[boxes], **quiet)
        for verdict, button in zip(_BUTTONS, buttons, strict=True):
            button.click(controls.decide(verdict), inputs=[place, boxes], **quiet)
        undo.click(controls.undo, inputs=[place, boxes], **quiet)
        boxes.change(controls.show, inputs=[place, boxes], **quiet)
    return blocks


class _Headers:
    """Adds the content security policy to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, with_policy)
