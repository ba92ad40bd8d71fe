"""The supervisor stays up, whatever is thrown at it, and tells how the command ended."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from fenced import World

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("sys.exit(7)", 7),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("os.abort()", 134),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_the_exit_code_is_the_commands(world: World, code: str, expected: int):
    assert world.python(code).code == expected


def test_a_command_that_may_not_run_is_126(world: World):
    result = world.run(["/bin/cat", "/dev/null"])
    assert result.code == 126
    assert "could not be started" in result.err


def test_bad_pointers_and_odd_paths(world: World):
    code = """
names = ('openat', 'execve', 'unlinkat', 'renameat', 'connect', 'bind', 'memfd_create', 'chmod',
         'fchmodat', 'utimensat', 'linkat', 'truncate', 'openat2', 'inotify_add_watch', 'fchown')
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.argtypes = [ctypes.c_long] * 7
s = socket.socket(); unix = socket.socket(socket.AF_UNIX)
import random
random.seed(1)
os.dup2(os.open(PUBLIC, os.O_RDONLY), 0)  # no device of the machine among the descriptors
odd = [0, 1, 4095, 2**47 - 1, 2**63, 2**64 - 1, -1, 7, s.fileno(), unix.fileno(), 0xffffffff]
text = ctypes.create_string_buffer(bytes(range(1, 256)) * 40)
odd += [ctypes.addressof(text), ctypes.addressof(text) + 10190]
for number in (kernel.numbers()[name] for name in names if name in kernel.numbers()):
    for _ in range(300):
        arguments = [random.choice(odd) & 0xffffffffffffffff for _ in range(6)]
        arguments = [each - 2**64 if each >= 2**63 else each for each in arguments]
        libc.syscall(number, *arguments)
def twice(n):
    try: os.stat  # looked at by the kernel alone
    finally: return refused(os.open, n, os.O_RDONLY)
print(refused(os.open, b'/' + b'a' * 4094, os.O_RDONLY))
print(refused(os.open, b'/' + b'a/' * 2200, os.O_RDONLY))
print(refused(os.open, b'', os.O_RDONLY), refused(os.open, b'\\xff\\xfe/\\xc3', os.O_RDONLY))
print(refused(os.open, WORK.encode() + b'/\\xff\\n\\x1b[2J', os.O_CREAT | os.O_WRONLY))
print(refused(os.open, b'/etc/\\xff\\n\\x1b[2J', os.O_CREAT | os.O_WRONLY))
os.symlink('loop', WORK + '/loop'); print(refused(os.open, WORK + '/loop', os.O_RDONLY))
print(refused(os.open, '/proc/self/fd/999', os.O_RDONLY), refused(os.open, PUBLIC + '/x', os.O_RDONLY))
print(open(PUBLIC).read())
"""
    result = world.python(code)
    assert world.public in result.out, result.text
    assert "refused: ENAMETOOLONG" in result.out
    assert "refused: ELOOP" in result.out
    assert "\x1b" not in result.err  # no control character reaches the terminal
    assert any("\udcff" in e["target"] or "\\udcff" in e["target"] for e in result.events)


def test_200_threads(world: World):
    code = """
def work(i):
    for _ in range(10):
        open(PUBLIC).read()
        with open(f'{WORK}/t{i}', 'w') as file: file.write('x')
        try: open(SECRET)
        except OSError: pass
        try: socket.create_connection(('127.0.0.1', 9), timeout=5)
        except OSError: pass
    done.append(i)
done = []
threads = [threading.Thread(target=work, args=(i,)) for i in range(200)]
[t.start() for t in threads]; [t.join() for t in threads]
print('done', len(done))
"""
    assert "done 200" in world.python(code).out


def test_150_processes_and_every_way_to_start_one(world: World):
    code = """
import subprocess, multiprocessing
children = [os.fork() for _ in range(0)]
for i in range(150):
    pid = os.fork()
    if not pid: open(PUBLIC).read(); os._exit(0)
    children.append(pid)
print('forked', sum(os.waitpid(pid, 0)[1] == 0 for pid in children))
print('spawned', os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', ''], os.environ), 0)[1])
print('ran', subprocess.run([sys.executable, '-c', 'print(open(%r).read())' % PUBLIC]).returncode)
with multiprocessing.get_context('spawn').Pool(2) as pool: print('pool', sum(pool.map(abs, range(9))))
out = []
thread = threading.Thread(target=lambda: out.append(subprocess.run([sys.executable, '-c', '']).returncode))
thread.start(); thread.join(); print('thread', out)
"""
    code = code.replace(
        "import subprocess, multi", "if __name__ != '__main__': sys.exit\nimport subprocess, multi"
    )
    body = "def main():\n" + "\n".join("    " + line for line in code.splitlines())
    result = world.python(
        body + "\nif __name__ == '__main__': main()\n", write=["/dev/shm/**"], read=["/dev/shm/**"]
    )
    for each in ("forked 150", "spawned 0", "ran 0", "pool 36", "thread [0]"):
        assert each in result.out, result.text


def test_signals_while_calls_are_stopped(world: World):
    code = """
got = []
signal.signal(signal.SIGALRM, lambda *_: got.append(1))
signal.signal(signal.SIGCHLD, lambda *_: None)
# A handler that does not ask for restarts makes watched calls fail with EINTR, as it does any
# call that waits; most programs ask for them.
for number in (signal.SIGALRM, signal.SIGCHLD): signal.siginterrupt(number, False)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
for i in range(3000):
    assert open(PUBLIC).read()
    if i % 100 == 0 and os.fork() == 0: os._exit(0)
signal.setitimer(signal.ITIMER_REAL, 0)
pid = os.fork()
if not pid:
    while True: open(PUBLIC).read()
for _ in range(100): os.kill(pid, signal.SIGSTOP); os.kill(pid, signal.SIGCONT)
os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
for _ in range(100):  # ended in the middle of a call
    pid = os.fork()
    if not pid:
        while True: open(PUBLIC).read()
    time.sleep(0.001); os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
print('fine', len(got) > 10)
"""
    assert "fine True" in world.python(code).out


def test_a_start_by_another_thread_than_the_first(world: World):
    code = """
def go(): os.execv(sys.executable, [sys.executable, '-c', 'print(open(%r).read())' % PUBLIC])
threading.Thread(target=go).start(); time.sleep(30)
"""
    assert world.public in world.python(code, timeout=20).out


def test_memory_is_that_of_the_program_that_runs_now(world: World):
    """After vfork and exec a thread has other memory; without randomised addresses it overlaps."""
    code = """
import subprocess
ctypes.CDLL(None).personality(0x0040000)  # ADDR_NO_RANDOMIZE
print(sum(subprocess.run([sys.executable, '-c', 'open(%r).read()' % PUBLIC]).returncode for _ in range(10)))
for _ in range(10):
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', 'print(open(%r).read())' % PUBLIC], os.environ), 0)
"""
    result = world.python(code)
    assert result.out.count(world.public) == 10, result.text


def brokered(world: World) -> dict[str, list[str]]:
    private = world.root / "open/private"
    private.mkdir()
    os.chmod(world.root / "open", 0o777)
    return {"deny": [f"{private}/**"], "write": [f"{world.root}/open/**"]}


@pytest.mark.parametrize(
    "wait",
    [
        "os.open(ROOT + '/open/fifo', os.O_RDONLY)",
        "os.open(ROOT + '/open/fifo', os.O_WRONLY)",
        """
    server = socket.socket(socket.AF_UNIX); server.bind(WORK + '/full'); server.listen(0)
    while True: socket.socket(socket.AF_UNIX).connect(WORK + '/full'); kept.append(server)""",
        """
    s = socket.socket(); s.setblocking(False); kept.append(s)
    def flip():
        while True: s.setblocking(True); s.setblocking(False)
    threading.Thread(target=flip, daemon=True).start()
    server = socket.create_server(('127.0.0.1', 0), backlog=0)
    while True:
        try: s = socket.socket(); kept.append(s); s.connect(server.getsockname())
        except OSError: pass""",
    ],
    ids=["fifo", "fifo to write", "full unix listener", "blocking changed meanwhile"],
)
def test_who_waits_holds_up_nobody_else(world: World, wait: str):
    changes = brokered(world)
    os.mkfifo(world.root / "open/fifo", 0o666)
    world.own()
    code = f"""
kept = []
def wait():
    {wait}
threading.Thread(target=wait, daemon=True).start()
time.sleep(0.3)
for _ in range(50): open(PUBLIC).read()
print('not held up', flush=True)
os._exit(0)
"""
    began = time.monotonic()
    result = world.python(code, timeout=20, listen=[("127.0.0.1", [])], **changes)
    assert "not held up" in result.out, result.text
    assert time.monotonic() - began < 15


def test_a_fifo_that_the_supervisor_opens_carries_data(world: World):
    changes = brokered(world)
    code = """
path = ROOT + '/open/late'
open(path, 'w').close()
fifo = ROOT + '/open/fifo'
if not os.fork(): open(fifo, 'w').write('through'); os._exit(0)
print(open(fifo).read(), open(path).read() == '')
"""
    os.mkfifo(world.root / "open/fifo")
    world.own()
    assert "through True" in world.python(code, timeout=20, **changes).out


def test_what_a_command_leaves_behind_ends_with_it(world: World):
    code = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 0)
        for number in range(1, 32):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        open(WORK + '/pid', 'w').write(str(os.getpid())); time.sleep(60)
    os._exit(0)
while not os.path.exists(WORK + '/pid') or not open(WORK + '/pid').read(): time.sleep(0.01)
"""
    result = world.python(code)
    assert result.code == 0, result.text
    assert not Path(f"/proc/{(world.root / 'work/pid').read_text()}").exists()


def test_adopted_processes_are_buried(world: World):
    """A long run of programs that detach leaves no zombies with the supervisor."""
    code = """
for _ in range(30):
    pid = os.fork()
    if not pid:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.waitpid(pid, 0)
time.sleep(0.2)
if not os.fork(): os._exit(0)
open(WORK + '/now', 'w').close()
while not os.path.exists(WORK + '/seen'): time.sleep(0.02)
"""
    program = world.root / "open/detach.py"
    program.write_text("import os, time\n" + code.replace("WORK", repr(str(world.root / "work"))))
    process = world.start([world.stage.python, str(program)])
    try:
        end = time.monotonic() + 20
        while not (world.root / "work/now").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        (world.root / "work/seen").touch()
    finally:
        process.communicate(timeout=20)
    assert len(children) <= 2


def test_the_interrupt_key_is_the_commands_to_handle(world: World):
    program = world.root / "open/interrupted.py"
    program.write_text(
        "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(30)\n"
        "except KeyboardInterrupt: print('handled'); raise SystemExit(5)\n"
    )
    process = world.start([world.stage.python, str(program)])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (5, "handled\n")


def test_nothing_is_refused_where_an_envelope_only_observes(world: World):
    code = "print(open(SECRET).read()); os.chmod(SECRET, 0o644); print(refused(socket.create_connection, ('127.0.0.1', 9)))"
    result = world.python(code, mode="observe")
    assert world.canary in result.out, result.text
    assert "refused: ECONNREFUSED" in result.out
    assert {"127.0.0.1:9", str(world.root / "secret/canary")} <= result.targets("audit")
    assert not result.targets("deny")


def test_the_cost_of_a_call(world: World):
    """Not a benchmark: only that no path has become slow by an order of magnitude."""
    changes = brokered(world)
    (world.root / "open/late").write_text("x")
    code = """
def cost(act, times=2000):
    act(); begin = time.perf_counter()
    for _ in range(times): act()
    return round((time.perf_counter() - begin) / times * 1e6, 1)
def reopen(path): os.close(os.open(path, os.O_RDONLY))
open(WORK + '/mine', 'w').close()
open(ROOT + '/open/later', 'w').close()
server = socket.create_server(('127.0.0.1', 0), backlog=4096)
def connect():
    socket.create_connection(server.getsockname()).close(); server.accept()[0].close()
def refused_open():
    try: os.open(SECRET, os.O_RDONLY)
    except OSError: pass
print('remembered', cost(lambda: reopen(sys.executable)))
print('explained', cost(lambda: reopen(WORK + '/mine')))
print('refused', cost(refused_open))
print('brokered', cost(lambda: reopen(ROOT + '/open/later')))
print('connect', cost(connect, 300))
print('fork', cost(lambda: os.waitpid(os.fork() or os._exit(0), 0), 200))
"""
    result = world.python(code, listen=[("127.0.0.1", [])], **changes)
    found = {line.split()[0]: float(line.split()[1]) for line in result.out.splitlines()}
    print(found)
    assert found.keys() == {"remembered", "explained", "refused", "brokered", "connect", "fork"}
    assert max(found.values()) < 10_000, found
