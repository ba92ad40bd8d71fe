"""Answers calls that make, connect, bind or listen on sockets."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from functools import partial

from keepwall.decide.addresses import Address
from keepwall.enforce.runtime import processes, sockets
from keepwall.enforce.runtime.landlock import TCP_SINCE
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.own_sockets import OwnSockets, listener_of
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.policy import NetworkPolicy, Use, Verdict
from keepwall.enforce.runtime.report import Reporter, Sighting
from keepwall.enforce.runtime.resolve import AT_FDCWD, absolute, resolve, signed
from keepwall.enforce.runtime.sockets import Endpoint
from keepwall.enforce.runtime.waiting import Waiters
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Mode
from keepwall.vocabulary.event import Activity

_LONGEST_ADDRESS = 128
_FAMILIES: dict[int, str] = {
    socket.AF_INET: "IPv4",
    socket.AF_INET6: "IPv6",
    socket.AF_UNIX: "Unix",
}
_KINDS: dict[int, str] = {socket.SOCK_DGRAM: "datagrams (UDP)", socket.SOCK_RAW: "raw packets"}


class SocketCalls:
    """Decides by address and acts for the caller on a duplicate of its socket."""

    def __init__(self, plan: RunPlan, listener: Listener, reporter: Reporter) -> None:
        if plan.network is None:
            raise ValueError("the plan has no network policy")
        self._policy: NetworkPolicy = plan.network
        self._files = plan.files
        self._listener = listener
        self._reporter = reporter
        self._observe = plan.envelope.mode is Mode.OBSERVE
        self._kernel_binds = plan.support.landlock >= TCP_SINCE or self._observe
        self._own = OwnSockets()
        self._waiters = Waiters()

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; raises OSError with what the caller shall see."""
        if name == "socket":
            self._create(call)
            return
        sock = sockets.take(processes.group_of(call.thread), signed(call.arguments[0]))
        handed_on = False
        try:
            if name == "listen":
                self._listen(call, sock)
                return
            if sock.family == socket.AF_UNIX and not processes.rights(call.thread).ours:
                raise PermissionError(errno.EACCES, "the caller has become another user")
            size = min(call.arguments[2] & 0xFFFFFFFF, _LONGEST_ADDRESS)
            raw = self._listener.memory(call, call.arguments[1], size)
            if name == "connect" and raw[:2] == b"\0\0":  # AF_UNSPEC only takes a peer away
                sockets.connect(sock, raw)
                self._listener.succeed(call)
                return
            if sock.family == socket.AF_NETLINK:  # only route sockets can be made; they just tell
                (sockets.bind if name == "bind" else sockets.connect)(sock, raw)
                self._listener.succeed(call)
                return
            endpoint = sockets.parse(raw)
            if not sockets.holds(sock, endpoint):
                raise OSError(errno.EACCES, "not a socket that an envelope can hold")
            if name == "bind":
                self._bind(call, sock, endpoint)
            else:
                handed_on = self._connect(call, sock, endpoint)
        finally:
            if not handed_on:
                sock.close()

    def strayed(self, call: StoppedCall) -> bool:
        """Return False: programs are not this one's concern."""
        del call
        return False

    def close(self) -> None:
        """Do nothing: connects that are still under way have no caller any more."""

    def _create(self, call: StoppedCall) -> None:
        domain, kind, protocol = (signed(value) for value in call.arguments[:3])
        if sockets.may_create(domain, kind, protocol) or self._observe:
            self._listener.proceed(call)  # registers only: nothing here can be changed afterwards
            return
        family = _FAMILIES.get(domain, f"family {domain}")
        what = f"{family} {_KINDS.get(kind & 0xF, f'socket type {kind & 0xF}')}"
        self._refuse(call, Activity.CREATE, what, Verdict(Effect.DENY, "network:default"))

    def _connect(self, call: StoppedCall, sock: socket.socket, endpoint: Endpoint) -> bool:
        """Connect; return whether another thread has taken the socket over.

        Always by another thread: whether a connect waits is up to the caller, who may change it.
        """
        if endpoint.address is None:
            return self._connect_unix(call, sock, endpoint)
        address = sockets.reached(endpoint)
        verdict = self._policy.reach(address, endpoint.port)
        if verdict.rule.endswith(":default") and address.is_loopback:
            verdict = self._among_ourselves(address, endpoint.port, verdict)
        if not self._may(call, Activity.CONNECT, _target(address, endpoint.port), verdict):
            return False
        self._waiters.run(partial(self._complete, call, sock, sockets.exact(endpoint, address)))
        return True

    def _among_ourselves(self, address: Address, port: int, verdict: Verdict) -> Verdict:
        """Return the verdict on a loopback address, where the run may talk to itself.

        Raises:
            OSError: ECONNREFUSED, nobody is there yet, and the run may listen there itself.
        """
        listener = listener_of(address, port)
        if self._own.has(listener):
            return Verdict(Effect.ALLOW, "network.egress:own listener")
        if not listener and self._policy.offer(address, port).allowed:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "nobody listens")
        return verdict

    def _connect_unix(self, call: StoppedCall, sock: socket.socket, endpoint: Endpoint) -> bool:
        """Connect to a Unix socket that the subject may write, or to a name it made itself."""
        if endpoint.abstract:
            known = self._own.named(endpoint.path[1:])
            verdict = Verdict(Effect.ALLOW if known else Effect.DENY, "network.egress:default")
            if not self._may(call, Activity.CONNECT, str(endpoint), verdict):
                return False
            self._waiters.run(partial(self._complete, call, sock, endpoint.raw))
            return True
        pinned = os.open(self._path(call, endpoint), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        handed_on = False
        try:
            path = os.readlink(f"/proc/self/fd/{pinned}")
            if self._may(call, Activity.CONNECT, path, self._write_verdict(path)):
                raw = sockets.unix_address(f"/proc/self/fd/{pinned}")
                self._waiters.run(partial(self._complete, call, sock, raw, pinned))
                handed_on = True
        finally:
            if not handed_on:
                os.close(pinned)
        return handed_on

    def _complete(
        self, call: StoppedCall, sock: socket.socket, raw: bytes, pinned: int = -1
    ) -> None:
        """Connect and answer; then let go of the socket, and of the path that was `pinned`."""
        try:
            with sock:
                sockets.connect(sock, raw)
        except OSError as error:
            self._listener.refuse(call, error.errno or errno.EACCES)
        else:
            self._listener.succeed(call)
        finally:
            if pinned >= 0:
                os.close(pinned)

    def _bind(self, call: StoppedCall, sock: socket.socket, endpoint: Endpoint) -> None:
        if endpoint.address is not None:
            address = endpoint.address
            mapped = getattr(address, "ipv4_mapped", None)
            address = mapped or address
            verdict = self._policy.offer(address, endpoint.port)
            if self._may(call, Activity.LISTEN, _target(address, endpoint.port), verdict):
                sockets.bind(sock, endpoint.raw)
                self._own.add(sock)
                self._listener.succeed(call)
        elif endpoint.abstract or not endpoint.path:
            sockets.bind(sock, endpoint.raw)
            self._own.add(sock)
            self._listener.succeed(call)
        else:
            self._bind_path(call, sock, endpoint)

    def _bind_path(self, call: StoppedCall, sock: socket.socket, endpoint: Endpoint) -> None:
        parent, _, name = self._path(call, endpoint).rpartition("/")
        pinned = os.open(parent or "/", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            path = os.readlink(f"/proc/self/fd/{pinned}").rstrip("/") + "/" + name
            if not self._may(call, Activity.LISTEN, path, self._write_verdict(path)):
                return
            if self._kernel_binds:
                # So that getsockname tells the caller's own path. Whatever the kernel reads there
                # now, Landlock decides about it: it lets nobody inside bind TCP.
                self._listener.proceed(call)
            else:
                sockets.bind(sock, sockets.unix_address(f"/proc/self/fd/{pinned}/{name}"))
                self._listener.succeed(call)
        finally:
            os.close(pinned)

    def _listen(self, call: StoppedCall, sock: socket.socket) -> None:
        """Listen; a socket that was not bound here would get every address and any port."""
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock not in self._own:
            unbound = "0.0.0.0" if sock.family == socket.AF_INET else "::"  # noqa: S104 - a question
            verdict = self._policy.offer(ipaddress.ip_address(unbound), 0)
            if not self._may(call, Activity.LISTEN, _target(unbound, 0), verdict):
                return
        sock.listen(signed(call.arguments[1]))
        self._listener.succeed(call)

    def _path(self, call: StoppedCall, endpoint: Endpoint) -> str:
        asked = absolute(call.thread, AT_FDCWD, endpoint.path)
        process = processes.group_of(call.thread)
        return resolve(asked, process=process, thread=call.thread)

    def _write_verdict(self, path: str) -> Verdict:
        if self._files is None:
            return Verdict(Effect.ALLOW, "file.write:unmanaged")
        return self._files.decide(Use.WRITE, path)

    def _may(self, call: StoppedCall, activity: Activity, target: str, verdict: Verdict) -> bool:
        """Return whether to go on; reports and answers a refusal itself."""
        if verdict.effect is Effect.DENY and not self._observe:
            self._refuse(call, activity, target, verdict)
            return False
        if verdict.effect is not Effect.ALLOW:
            self._report(call, activity, target, Effect.AUDIT, verdict.rule, Strength.SEEN_ONLY)
        return True

    def _refuse(self, call: StoppedCall, activity: Activity, target: str, verdict: Verdict) -> None:
        self._report(call, activity, target, Effect.DENY, verdict.rule, Strength.PREVENTED)
        self._listener.refuse(call, errno.EACCES)

    def _report(
        self,
        call: StoppedCall,
        activity: Activity,
        target: str,
        effect: Effect,
        rule: str,
        strength: Strength,
    ) -> None:
        process = processes.group_of(call.thread)
        self._reporter.report(
            Sighting(activity, target, effect, rule, Plane.NETWORK, Tier.BROKER, strength, process)
        )


def _target(address: Address | str, port: int) -> str:
    text = str(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
