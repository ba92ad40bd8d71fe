"""Ways to reach other processes, the terminal or the kernel from inside."""

from __future__ import annotations

import os
import platform
import pty
import subprocess
import time
from pathlib import Path

import pytest
from fenced import World

pytestmark = pytest.mark.real

ACTS = {
    "kill": "os.kill(PID, 0)",
    "stop": "os.kill(PID, signal.SIGSTOP)",
    "tgkill": "call('tgkill', PID, PID, 15)",
    "sigqueue": "call('rt_sigqueueinfo', PID, 15, bytes(128))",
    "pidfd": "signal.pidfd_send_signal(os.pidfd_open(PID), 15)",
    "trace": "call('ptrace', 16, PID, 0, 0)",
    "read its memory": """
        buffer = ctypes.create_string_buffer(8)
        vector = struct.pack('PP', ctypes.addressof(buffer), 8)
        call('process_vm_readv', PID, vector, 1, vector, 1, 0)""",
    "write its memory": "call('process_vm_writev', PID, bytes(16), 1, bytes(16), 1, 0)",
    "its memory file": "open(f'/proc/{PID}/mem', 'r+b')",
    "its descriptors": "call('pidfd_getfd', os.pidfd_open(PID), 1, 0)",
    "its environment": "open(f'/proc/{PID}/environ').read()",
    "its limits": "call('prlimit64', PID, 0, struct.pack('=QQ', 0, 0), None)",
    "advice on its memory": "call('process_madvise', os.pidfd_open(PID), bytes(16), 1, 20, 0)",
    "its namespaces": "call('setns', os.pidfd_open(PID), 0x20000)",
    "compare": "call('kcmp', PID, os.getpid(), 0, 0, 0)",
    "shared memory": "call('shmget', 0x1234, 4096, 0o1600)",
    "message queues": "call('msgget', 0x1234, 0o1600)",
    "semaphores": "call('semget', 0x1234, 1, 0o1600)",
    "POSIX queues": "call('mq_open', b'kw', 0o102, 0o600, None)",
    "keys": "call('keyctl', 0, -4, 0)",
    "the kernel's log": "call('syslog', 3, bytes(99), 99)",
    "BPF": "call('bpf', 0, bytes(128), 128)",
    "performance counters": "call('perf_event_open', bytes(128), 0, -1, -1, 0)",
    "page faults": "call('userfaultfd', 1)",
    "an accounting file": "call('acct', (WORK + '/acct').encode())",
}


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("landlock", [7, 5], ids=["now", "as before 6.12"])
@pytest.mark.parametrize("whom", ["a stranger", "the supervisor"])
def test_processes_outside_are_out_of_reach(world: World, name: str, landlock: int, whom: str):
    if whom == "the supervisor" and "PID" not in ACTS[name]:
        return
    stranger = subprocess.Popen(
        ["sleep", "60"], start_new_session=True, env={"CANARY": world.canary}, **world.identity()
    )
    try:
        pid = str(stranger.pid) if whom == "a stranger" else "os.getppid()"
        lines = [line.removeprefix("        ") for line in ACTS[name].strip("\n").splitlines()]
        body = "\n".join(f"    {line}" for line in lines)
        code = f"PID = {pid}\ndef attempt():\n{body}\nprint(refused(attempt))\nprint('alive')\n"
        result = world.python(code, landlock=landlock)
        assert "refused: E" in result.out, result.text
        assert "alive" in result.out, result.text
        assert world.canary not in result.text
        assert stranger.poll() is None
        assert Path(f"/proc/{stranger.pid}/stat").read_text().split()[2] == "S"
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("landlock", [7, 5], ids=["now", "as before 6.12"])
@pytest.mark.parametrize("receiver", ["-1", "0", "-os.getpgid(0)", "-STRANGER"])
def test_a_signal_to_many_reaches_nobody_outside(world: World, landlock: int, receiver: str):
    """Strangers live on, and so does the supervisor, which tells how the command ended."""
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True, **world.identity())
    try:
        result = world.python(
            f"STRANGER = {stranger.pid}\nprint(refused(os.kill, {receiver}, signal.SIGTERM))",
            landlock=landlock,
        )
        assert result.code in (0, 128 + 15), result.text
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("landlock", [7, 5], ids=["now", "as before 6.12"])
def test_signals_inside_a_run_work(world: World, landlock: int):
    code = """
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
child.send_signal(signal.SIGSTOP); child.send_signal(signal.SIGCONT); child.terminate()
print('child', child.wait())
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
os.kill(os.getpid(), signal.SIGUSR1); signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
print('own', len(got))
leader = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)
os.killpg(leader.pid, signal.SIGKILL); print('group', leader.wait())
try: os.abort() if os.fork() == 0 else print('abort', os.waitstatus_to_exitcode(os.wait()[1]))
except OSError as error: print(error)
"""
    result = world.python(code, landlock=landlock)
    for each in ("child -15", "own 2", "group -9", "abort -6"):
        assert each in result.out, result.text


def test_nothing_can_be_typed_into_the_terminal(world: World):
    """TIOCSTI puts a byte where the shell behind reads it after the run."""
    program = world.root / "open/type.py"
    program.write_text(
        "import fcntl, errno\n"
        "for code in (0x5412, 0x541c, 0x7f00005412):\n"
        "    try: fcntl.ioctl(0, code & 0xffffffff, b'x'); print('typed')\n"
        "    except OSError as error: print('refused', errno.errorcode[error.errno])\n"
        "import ctypes\n"
        "print(ctypes.CDLL(None).syscall(16, 0, ctypes.c_long((1 << 40) | 0x5412), b'x'))\n"
        "import termios; termios.tcgetattr(0); print('terminal ok')\n"
    )
    ours, theirs = pty.openpty()
    command = world.command([world.stage.python, str(program)])
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=world.stage.environment,
        **world.identity(),
    )
    out, _ = process.communicate(timeout=30)
    os.close(theirs)
    os.close(ours)
    assert "typed" not in out
    assert out.count("refused EPERM") == 3
    assert "\n-1\n" in out
    assert "terminal ok" in out


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other instruction sets of x86_64")
def test_another_instruction_set_ends_the_process(world: World):
    code = """
code = bytes.fromhex('b805000000 bb00000000 31c9 cd80 c3'.replace(' ', ''))  # open(2) of i386
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
entry = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
pid = os.fork()
if not pid:
    print('came back', entry(), flush=True); os._exit(0)
print('ended', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
libc = ctypes.CDLL(None, use_errno=True)
print('x32', libc.syscall(0x40000000 + 2, SECRET.encode(), 0), ctypes.get_errno() == errno.ENOSYS)
"""
    result = world.python(code)
    assert "ended -31" in result.out, result.text
    assert "x32 -1 True" in result.out


def test_a_fence_inside_the_fence_is_no_way_out(world: World):
    code = """
from keepwall.enforce.runtime import seccomp, landlock
kernel.prctl(38, 1)
print(refused(lambda: seccomp.install(seccomp.build(frozenset({'openat'}), network=False), listener=True)))
rules = landlock.Ruleset(landlock.abi_version(), files=True, network=False)
rules.grant('/', landlock.ALL); rules.restrict()
print(refused(open, SECRET))
"""
    result = world.python(code)
    assert "refused: EBUSY" in result.out, result.text
    assert "refused: EACCES" in result.out, result.text


def test_capabilities_of_root_are_gone(world: World):
    result = world.python("print(open('/proc/self/status').read())")
    fields = dict(line.split(":\t") for line in result.out.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


def test_the_network_plane_alone_protects_its_supervisor(world: World):
    """Files are unmanaged then, but the one that decides must stay out of reach."""
    code = """
parent = os.getppid()
print(refused(open, f'/proc/{parent}/mem', 'r+b'))
print(refused(os.kill, parent, signal.SIGSTOP))
print('file', len(open('/etc/passwd').read()) > 0)
os.mkdir(WORK + '/d'); open(WORK + '/f', 'w').close(); os.rename(WORK + '/f', WORK + '/d/f')
print('moved', os.listdir(WORK + '/d'), refused(socket.create_connection, ('127.0.0.1', 9)))
print(open('/proc/self/status').read())
"""
    result = world.python(code, planes=["network"])
    assert "refused: EACCES" in result.out.splitlines()[0], result.text
    assert "refused: EPERM" in result.out.splitlines()[1]
    assert "file True" in result.out
    assert "moved ['f'] refused: EACCES" in result.out
    fields = dict(line.split(":\t") for line in result.out.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) & (1 << 12 | 1 << 13 | 1 << 19 | 1 << 21) == 0


def test_the_broker_opens_as_the_subject_and_not_as_root(world: World):
    """Root without DAC_OVERRIDE may not read what belongs to somebody else, nor may the broker."""
    if world.user != 0:
        return
    private = world.root / "open/private"
    private.mkdir()
    other = world.root / "open/other"
    other.write_text(world.canary)
    os.chown(other, 4242, 4242)
    other.chmod(0o600)
    result = world.python(
        "print(refused(lambda: open(ROOT + '/open/other').read()), open(PUBLIC).read())\n"
        "print(refused(os.chmod, ROOT + '/open/other', 0o777), refused(os.chown, WORK, 7, 7))\n"
        "open(ROOT + '/open/late', 'w').close()\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "print(refused(open, ROOT + '/open/late'), refused(os.chmod, WORK, 0o777))",
        deny=[f"{private}/**"],
        capabilities=["SETUID", "SETGID"],
        write=[f"{world.root}/open/**"],
    )
    first, second, third = result.out.splitlines()
    assert first == f"refused: EACCES {world.public}", result.text
    assert second == "refused: EPERM refused: EPERM"
    assert third == "refused: EACCES refused: EACCES"


def test_ended_by_its_parent_nothing_goes_on(world: World):
    """SIGKILL of the supervisor: what lives on can no longer open, start, fork or connect."""
    program = world.root / "open/live.py"
    program.write_text(
        "import os, time, socket, errno, ctypes\n"
        "out = os.open('said', os.O_WRONLY | os.O_CREAT)\n"
        "if os.fork(): time.sleep(60)\n"
        "ctypes.CDLL(None).prctl(1, 0)\n"
        "os.write(out, b'ready %d\\n' % os.getpid())\n"
        "while os.path.exists('/proc/%d' % os.getppid()) and os.getppid() != 1: time.sleep(0.02)\n"
        "time.sleep(0.3)\n"
        "for act in (lambda: os.open('said', 0), lambda: os.fork(), lambda: socket.socket(),\n"
        "            lambda: os.execv('/bin/true', ['x']), lambda: os.unlink('said')):\n"
        "    try: act(); os.write(out, b'done\\n')\n"
        "    except OSError as error: os.write(out, errno.errorcode[error.errno].encode() + b'\\n')\n"
        "os.write(out, b'end\\n')\n"
    )
    process = world.start([world.stage.python, str(program)])
    said = world.root / "work/said"
    try:
        _until(lambda: said.exists() and said.read_text().startswith("ready"))
        survivor = int(said.read_text().split()[1])
        process.kill()
        process.wait(10)
        _until(lambda: said.read_text().endswith("end\n"))
    finally:
        process.kill()
        process.communicate()
    assert said.read_text().split()[2:] == ["ENOSYS"] * 5 + ["end"]
    with pytest.raises(ProcessLookupError):
        os.kill(survivor, 0)
        _until(lambda: os.kill(survivor, 0) is not None)


def _until(true: object, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
