"""A client that drives an ASGI application in this process: no sockets, cookies like a browser."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote, urlencode

HOST = "127.0.0.1:8740"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One browser, or with `bearer` one program."""

    app: Any
    host: str = HOST
    address: str = "127.0.0.1"
    bearer: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    last: Answer | None = None

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, headers)

    async def post(
        self,
        path: str,
        fields: dict[str, str | list[str]] | None = None,
        *,
        origin: str | None = "",
        **headers: str,
    ) -> Answer:
        """Send a form as a browser does; `origin` None leaves the Origin header out."""
        if origin is not None:
            headers = {"origin": origin or f"http://{self.host}", **headers}
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return await self.send("POST", path, headers, urlencode(fields or {}, doseq=True).encode())

    async def json(self, method: str, path: str, value: object, **headers: str) -> Answer:
        """Send JSON, as a program does."""
        headers.setdefault("content-type", "application/json")
        return await self.send(method, path, headers, json.dumps(value).encode())

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        messages: list[dict[str, Any]] = []
        scope = self.scope(method, path, headers)
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if pending:
                return pending.pop()
            await asyncio.Event().wait()
            raise AssertionError("never woken")

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        try:
            await self.app(scope, receive, send)
        finally:
            start, *rest = messages
            got = [(key.decode(), value.decode("latin-1")) for key, value in start["headers"]]
            self._keep_cookies(got)
            body = b"".join(each.get("body", b"") for each in rest)
            self.last = Answer(start["status"], got, body)
        return self.last

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[Stream]:
        """Open a streaming answer, and disconnect at the end."""
        stream = Stream()
        task = asyncio.create_task(
            self.app(self.scope("GET", path, headers), stream.receive, stream.send)
        )
        try:
            stream.status = await asyncio.wait_for(stream.started, 5)
            yield stream
        finally:
            stream.gone.set()
            await asyncio.wait_for(task, 5)

    def scope(self, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        raw, _, query = path.partition("?")
        sent = {
            "host": self.host,
            **{name.replace("_", "-"): each for name, each in headers.items()},
        }
        if self.cookies:
            sent["cookie"] = "; ".join(f"{key}={value}" for key, value in self.cookies.items())
        if self.bearer:
            sent["authorization"] = f"Bearer {self.bearer}"
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(key.encode(), value.encode("latin-1")) for key, value in sent.items()],
            "client": (self.address, 50000),
            "server": ("127.0.0.1", 8740),
            "state": {},
        }

    def _keep_cookies(self, headers: list[tuple[str, str]]) -> None:
        for name, value in headers:
            if name == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    if morsel["max-age"] == "0":
                        self.cookies.pop(key, None)
                    else:
                        self.cookies[key] = morsel.value


class Stream:
    """The messages of a streaming answer as they come."""

    def __init__(self) -> None:
        self.status = 0
        self.gone = asyncio.Event()
        self.started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()
        self._chunks: asyncio.Queue[str] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started.set_result(message["status"])
            return
        if message.get("body"):
            self._chunks.put_nowait(message["body"].decode())
        if not message.get("more_body"):
            self.ended.set()

    async def next(self) -> str:
        """Return the next chunk that is not a comment."""
        while True:
            chunk = await asyncio.wait_for(self._chunks.get(), 5)
            if not chunk.startswith(":"):
                return chunk
