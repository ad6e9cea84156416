"""hope-bench leaderboard serve: on this computer only, and up to date."""

from __future__ import annotations

import signal
import socket
import struct
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.result_file import write_result
from hope_bench.site import build_site
from hope_bench.site.serve import start, state, watch
from tests.cli import hope_bench
from tests.forks import Fork
from tests.unit.test_site import make_result
from tests.waiting import wait_until


def test_serves_on_this_computer_and_builds_again(tmp_path: Path) -> None:
    path = tmp_path / "results" / "tiny" / "one.json"
    write_result(path, make_result(tmp_path, "One", 1))
    seen = state(tmp_path / "results")
    build_site(tmp_path / "results", tmp_path / "site")
    server = start(tmp_path / "site", 0)
    said: list[str] = []
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(tmp_path / "results", tmp_path / "site", seen, said.append, stop, 0.02))
    try:
        port = server.server_address[1]
        assert server.server_address[0] == "127.0.0.1"
        base = f"http://127.0.0.1:{port}"

        def index() -> str:
            with urllib.request.urlopen(f"{base}/") as answer:
                assert answer.headers["Cache-Control"] == "no-store"
                return str(answer.read().decode())

        assert ">One</a>" in index()
        write_result(path.with_name("two.json"), make_result(tmp_path, "Two", 2))
        watcher.start()  # also what came while the site was built is in the next one
        wait_until(lambda: "Built again: 2 results." in said)
        assert ">Two</a>" in index()
        path.write_text("{")
        wait_until(lambda: "not JSON" in said[-1])
        assert ">One</a>" in index()
        for outside in ("/../results/tiny/two.json", "/%2e%2e/results/tiny/two.json", "/tiny/"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(base + outside)
    finally:
        stop.set()
        if watcher.ident is not None:
            watcher.join()
        server.shutdown()
        server.server_close()


def test_ctrl_c_is_how_serving_ends(tmp_path: Path) -> None:
    write_result(tmp_path / "results" / "tiny" / "one.json", make_result(tmp_path, "One", 1))
    folders = ("--results", tmp_path / "results", "--out", tmp_path / "site")
    serving = Fork(["-m", "hope_bench", "leaderboard", "serve", "--port", "0", *folders])
    try:
        wait_until(lambda: "\n" in serving.said()[0] or serving.poll() is not None)
        assert serving.said()[0].startswith("Leaderboard: http://127.0.0.1:")
        serving.send_signal(signal.SIGINT)
        _, said = serving.communicate()
    finally:
        serving.kill()
    assert (serving.returncode, said) == (0, "")


def test_a_browser_that_leaves_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One page is asked for and not waited for; more than any buffer between the two holds."""
    (tmp_path / "large.html").write_bytes(bytes(2**25))
    server = start(tmp_path, 0)
    threads = threading.active_count()
    with socket.create_connection(("127.0.0.1", server.server_port)) as leaving:
        leaving.sendall(b"GET /large.html HTTP/1.0\r\n\r\n")
        assert leaving.recv(1)
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: threading.active_count() <= threads)
    server.shutdown()
    server.server_close()
    assert capsys.readouterr().err == ""


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HopeBenchError, match="Choose another --port"):
            start(tmp_path, taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none(port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_result(tmp_path / "results" / "tiny" / "one.json", make_result(tmp_path, "One", 1))
    folders = ["--results", tmp_path / "results", "--out", tmp_path / "site"]
    outcome = hope_bench(capsys, "leaderboard", "serve", *folders, "--port", port)
    assert outcome.code == 2
    assert "Invalid value for '--port'" in outcome.err
    assert not (tmp_path / "site").exists()
