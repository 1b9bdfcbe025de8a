"""Submissions that want to see what is not their own.

Where they look for a text, it is the class's secret seed: even who knows it finds it nowhere.
"""

from dataclasses import replace
from pathlib import Path

from corpus import LOSSES, Attack, Outcome, World, below, patch, says
from trying import Shared, trying

COURSE = """
def try_the_configuration(x, y):
    return readable("@COURSE@/nbgrader_config.py", "@COURSE@/source/a1/manifest.toml")
def try_the_gradebook(x, y):
    return readable("@COURSE@/gradebook.db")
def try_the_seed(x, y):
    return readable("@COURSE@/.handgrad", "@COURSE@/.handgrad/seed-a1")
def try_other_submissions(x, y):
    return readable("@COURSE@/submitted", "@COURSE@/submitted/ada/a1/handgrad/layers/losses.py")
def try_what_was_received(x, y):
    return readable("@COURSE@/received", "@COURSE@/../inbox", "@COURSE@/../inbox/ada")
def try_reports(x, y):
    return readable("@COURSE@/reports", "@COURSE@/reports/a1", "@COURSE@/reports/a1/ada.json")
def try_model_answers(x, y):
    return readable("@COURSE@/source", "@COURSE@/source/a1/3_two_layer_net.ipynb")
def try_by_relative_paths(x, y):
    up = "../" * 12
    return [up for place in ("@COURSE@", "@OUTSIDE@") if readable(up + place, "/proc/1/root" + place)]
"""

REPOSITORY = """
def try_the_reference(x, y):
    return readable("@REPOSITORY@/handgrad/layers/losses.py", "@REPOSITORY@/handgrad")
def try_the_checks(x, y):
    return readable("@REPOSITORY@/autograder/checks/a1_3_two_layer_net.py", "@REPOSITORY@/autograder")
def try_the_tests(x, y):
    return readable("@REPOSITORY@/tests/attacks/looking.py", "@REPOSITORY@/.git/config")
def try_the_data(x, y):
    return readable("@REPOSITORY@/datasets", "@REPOSITORY@/datasets/registry.toml")
def try_the_solution_beside_the_submission(x, y):
    return [path for path in os.listdir("/submission") if "autograder" in path or "solution" in path]
def try_the_submission_for_solutions(x, y):
    files = [os.path.join(folder, name) for folder, _, names in os.walk("/submission") for name in names]
    return [path for path in files if path.endswith(".py") and b"BEGIN " + b"SOLUTION" in read(path)]
"""

PACKAGES = """
import importlib.metadata
import importlib.util
def found(name):
    try:
        return importlib.util.find_spec(name)
    except ImportError:
        return None
def try_the_autograder(x, y):
    return found("autograder") or found("autograder.checks")
def try_the_graders_packages(x, y):
    return [name for name in ("nbgrader", "pydantic", "dask", "distributed", "sqlalchemy") if found(name)]
def try_another_handgrad(x, y):
    import handgrad
    places = [os.path.join(folder, "handgrad") for folder in sys.path if folder != "/submission"]
    return list(handgrad.__path__) != ["/submission/handgrad"] or readable(*places)
def try_installed_distributions(x, y):
    names = {dist.metadata["Name"].lower() for dist in importlib.metadata.distributions()}
    return names & {"handgrad", "nbgrader", "dask", "pytest", "jupyterlab"}
def try_path_files(x, y):
    return [p for p in sys.path if p and not p.startswith(("/runtime/", "/submission")) and readable(p)]
def try_the_user_site(x, y):
    import site
    return readable(site.getusersitepackages()) or readable(os.path.expanduser("~/.jupyter"))
"""

WALK = """
FOUND = []
def walk():
    for folder, folders, names in os.walk("/") if not FOUND else ():
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "submission")]
        elif folder.count("/") > 4:
            folders.clear()
        FOUND.extend(os.path.join(folder, name) for name in names)
    return FOUND
def try_notebooks_and_databases(x, y):
    kinds, packages = (".ipynb", ".db", ".sqlite", ".npz"), ("/runtime/", "/usr/")
    return [path for path in walk() if path.endswith(kinds) and not path.startswith(packages)]
def try_another_handgrad(x, y):
    return [path for path in walk() if "handgrad" in path or "autograder" in path]
def try_homes_and_keys(x, y):
    folders = ("/home/", "/root/", "/etc/ssh", "/var/", "/run/", "/srv/")
    return [path for path in walk() if path.startswith(folders)]
def try_what_is_in_etc(x, y):
    return set(os.listdir("/etc")) - {"ld.so.cache"}
def try_programs(x, y):
    return readable("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local", "/opt", "/mnt", "/media")
"""

PROC = """
def others():
    return [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid(), os.getppid())]
def everything(name):
    for pid in [*filter(str.isdigit, os.listdir("/proc")), "self"]:
        try:
            yield read(f"/proc/{pid}/{name}")
        except OSError:
            pass
def tells(name):
    return [text for text in everything(name) if seed().encode() in text or b"@COURSE@" in text]
def try_other_processes(x, y):
    return [pid for pid in others() if b"bwrap" not in read(f"/proc/{pid}/comm")]
def try_command_lines(x, y):
    return tells("cmdline") or tells("stat") or tells("comm")
def try_environments(x, y):
    return tells("environ") or [t for t in everything("environ") if t and b"PWD=/submission" not in t]
def try_maps_and_mounts(x, y):
    return tells("maps") or tells("mountinfo") or tells("mounts") or tells("smaps")
def try_names_of_others_in_mounts(x, y):
    text = b"".join([*everything("mountinfo"), *everything("mounts")]).decode()
    names = {"ada", "max", "zoe", "a1", "inbox", "submitted", "received", "source", "release", "gradebook.db"}
    names.update(part for place in ("@COURSE@", "@OUTSIDE@") for part in place.split("/")[-2:])
    parts = {part for word in text.split() for part in word.split("/")}
    return not text or names & parts or "@COURSE@" in text
def try_roots_and_folders(x, y):
    links = ("root", "cwd")
    return [p for pid in others() + ["1"] for link in links if readable(p := f"/proc/{pid}/{link}@COURSE@")]
def try_open_files_of_others(x, y):
    pids = [str(os.getppid()), "1", *others()]
    files = [f"/proc/{pid}/fd/{number}" for pid in pids for number in range(64)]
    found = [os.readlink(path) for path in files if os.path.lexists(path)]
    return [name for name in found if not name.startswith(("pipe:", "/dev/null", "anon_inode:"))]
def try_processes_of_the_host(x, y):
    listed = {*os.listdir("/proc"), *os.listdir("/proc/self/task"), *os.listdir(f"/proc/{os.getppid()}/task")}
    return [pid for pid in range(2, 33000) if os.path.exists(f"/proc/{pid}") and str(pid) not in listed]
"""

MEMORY = """
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def spaces(pid):
    total = 0
    for line in read(f"/proc/{pid}/maps", 1 << 22).decode().splitlines():
        area, rights = line.split()[:2]
        begin, end = (int(part, 16) for part in area.split("-"))
        total += end - begin
        if rights.startswith("rw") and total < 1 << 28:
            yield begin, min(end - begin, 1 << 24)
def by_file(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, length in spaces(pid):
            memory.seek(begin)
            if seed().encode() in memory.read(length):
                return True
def by_call(pid):
    for begin, length in spaces(pid):
        buffer = ctypes.create_string_buffer(length)
        here, there = Part(ctypes.addressof(buffer), length), Part(begin, length)
        if syscall("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0):
            return True
def try_the_parent_by_file(x, y):
    return by_file(os.getppid())
def try_the_first_process_by_file(x, y):
    return by_file(1)
def try_the_parent_by_call(x, y):
    return by_call(os.getppid())
def try_the_first_process_by_call(x, y):
    return by_call(1)
def try_attaching(x, y):
    return syscall("ptrace", 16, os.getppid(), 0, 0) or syscall("ptrace", 0x4206, os.getppid(), 0, 0)
def try_descriptors_of_the_parent(x, y):
    return syscall("pidfd_open", os.getppid(), 0) or syscall("kcmp", os.getpid(), os.getppid(), 0, 0, 1)
def try_the_machines_memory(x, y):
    return readable("/dev/mem", "/dev/kmem", "/proc/kcore", "/dev/port")
"""

ENVIRONMENT = """
KNOWN = {"HOME", "LANG", "LC_CTYPE", "LD_LIBRARY_PATH", "MPLBACKEND", "MPLCONFIGDIR", "PWD", "PYTHONHASHSEED"}
KNOWN |= {"PYTHONDONTWRITEBYTECODE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
def try_variables(x, y):
    return set(os.environ) - KNOWN
def try_variables_of_the_first_moment(x, y):
    return {line.split(b"=")[0].decode() for line in read("/proc/self/environ").split(b"\\0") if line} - KNOWN
def try_arguments(x, y):
    words = " ".join([*sys.argv, *sys.orig_argv, read("/proc/self/cmdline").decode()])
    return [secret for secret in (seed(), "@COURSE@", "@REPOSITORY@", "svm_loss") if secret in words]
def try_settings_of_the_runner(x, y):
    return set(sys.modules["__main__"].settings) - {"isolated", "limits", "root", "site"}
def try_limits_that_name_somebody(x, y):
    return [v for v in sys.modules["__main__"].settings["limits"].values() if type(v) is not int]
def try_who_i_am(x, y):
    import getpass
    return os.getuid() != 1000 or set(os.getgroups()) - {1000, 65534} or getpass.getuser()
"""

FRAMES = """
import gc
def right(x, y):
    rows = np.arange(len(x))
    margins = x - x[rows, y][:, None] + 1
    margins[rows, y] = 0
    dx = (margins > 0).astype(float)
    dx[rows, y] = -dx.sum(axis=1)
    return np.maximum(margins, 0).sum() / len(x), dx / len(x)
def reachable():
    # All that the callers' variables, the modules and the garbage collector lead to.
    gc.unfreeze()
    seen, waiting = set(), [*gc.get_objects(), *sys.modules.values()]
    frame = sys._getframe(1)
    while frame is not None:
        waiting += frame.f_locals.values()
        frame = frame.f_back
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen:
            seen.add(id(thing))
            waiting += gc.get_referents(thing)
            yield thing
def try_arrays_like_the_answer(x, y):
    _, dx = right(x, y)
    arrays = [a for a in reachable() if type(a) is np.ndarray and a.shape == x.shape and a is not dx]
    return [a for a in arrays if a.dtype.kind == "f" and np.allclose(a, dx)]
def try_numbers_like_the_answer(x, y):
    loss, _ = right(x, y)
    return [a for a in reachable() if isinstance(a, float) and abs(a - loss) < 1e-9 and a is not loss]
def try_texts_with_the_seed(x, y):
    secret = seed()
    return [t for t in reachable() if isinstance(t, str) and secret in t and t is not secret]
def try_modules_of_the_grader(x, y):
    files = {name: getattr(module, "__file__", None) for name, module in [*sys.modules.items()]}
    ours = ("/runtime/", "/submission/")
    return [name for name, file in files.items() if file and not file.startswith(ours)]
def try_functions_of_the_reference(x, y):
    functions = [f for f in reachable() if type(f) is type(right) and "svm_loss" in f.__name__]
    return [f for f in functions if not f.__code__.co_filename.startswith("/submission/")]
def try_finders_with_sources(x, y):
    return [finder for finder in sys.meta_path if getattr(finder, "sources", None)]
"""

GUESSES = """
import time
def draws(number, x):
    rng = np.random.default_rng(number)
    yield rng.standard_normal(x.shape)
    yield rng.standard_normal(x.shape)
    yield np.random.RandomState(number % 2**32).randn(*x.shape)
def same(a, x):
    return np.allclose(a / np.abs(a).max(), x / np.abs(x).max())
def hit(numbers, x):
    return [n for n in numbers for a in draws(int(n), x) if same(a, x)]
def try_small_numbers(x, y):
    return hit(range(1500), x)
def try_the_time(x, y):
    return hit(range(int(time.time()) - 100, int(time.time()) + 2), x) or hit([time.time_ns()], x)
def try_process_numbers(x, y):
    return hit([os.getpid(), os.getppid(), id(x), hash("svm_loss") % 2**63], x)
def try_the_seed_of_this_process(x, y):
    frame, numbers = sys._getframe(), []
    while frame is not None:
        numbers += [v for v in frame.f_locals.values() if type(v) is int and v >= 0]
        for value in frame.f_locals.values():
            if isinstance(value, dict):
                numbers += [v for v in value.values() if type(v) is int and v >= 0]
        frame = frame.f_back
    return hit(numbers, x)
def try_the_state_of_numpy(x, y):
    state = np.random.get_state()
    drawn = np.random.randn(*x.shape)
    np.random.set_state(state)
    return same(drawn, x)
"""

DESCRIPTORS = """
import fcntl
import stat
def mine():
    for number in range(256):
        try:
            yield number, os.fstat(number)
        except OSError:
            pass
def try_files_and_folders(x, y):
    return [number for number, s in mine() if stat.S_ISREG(s.st_mode) or stat.S_ISDIR(s.st_mode)]
def try_sockets_and_devices(x, y):
    null = os.stat("/dev/null")
    return [n for n, s in mine() if stat.S_ISSOCK(s.st_mode) or stat.S_ISBLK(s.st_mode)
            or (stat.S_ISCHR(s.st_mode) and s.st_rdev != null.st_rdev)]
def try_more_pipes_than_the_channel(x, y):
    return len([number for number, s in mine() if stat.S_ISFIFO(s.st_mode)]) > 2
def try_reading_ahead_in_the_channel(x, y):
    got = []
    for number, s in mine():
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
        if stat.S_ISFIFO(s.st_mode) and flags & os.O_ACCMODE == os.O_RDONLY:
            os.set_blocking(number, False)
            try:
                got.append(os.read(number, 1 << 16))
            except BlockingIOError:
                pass
            os.set_blocking(number, True)
    return got
def try_opening_them_anew(x, y):
    paths = [f"/proc/self/fd/{number}/.." for number, _ in mine()]
    return readable(*paths)
"""

LEAVES_NOTES = """
import os
PLACES = ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/run", ".", "/submission", "@OUTSIDE@")
def svm_loss(x, y):
    left = []
    for place in PLACES:
        try:
            with open(place + "/note-of-another-student", "wb") as file:
                file.write(x.tobytes())
            left.append(place)
        except OSError:
            pass
    raise RuntimeError(f"left notes in {left}")
"""

NOTES = """
def try_notes(x, y):
    places = ("/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/run", ".", "/submission", "@OUTSIDE@")
    return readable(*(place + "/note-of-another-student" for place in places))
def try_scratch_of_the_grader(x, y):
    return [name for name in os.listdir("/tmp") if name.startswith(("handgrad", "dask", "pytest", "tmp"))]
def try_shared_memory_by_number(x, y):
    return readable("/proc/sysvipc/shm", "/dev/mqueue") and len(read("/proc/sysvipc/shm").splitlines()) > 1
def try_what_another_has_mapped(x, y):
    return os.listdir("/dev/shm")
"""

SHARED = """
import socket
from multiprocessing.shared_memory import SharedMemory
NAME, KEY = "@SHARED_NAME@", int("@SHARED_KEY@")
CREATE = 0o1666
libc = ctypes.CDLL(None)
def by_key(call, *size):
    return [number for number in (call(KEY, *size, 0), call(KEY + 1, *size, CREATE)) if number >= 0]
def try_segments(x, y):
    return by_key(libc.shmget, 4096)
def try_semaphores(x, y):
    return by_key(libc.semget, 1)
def try_queues(x, y):
    return by_key(libc.msgget)
def try_numbers_of_what_is_there(x, y):
    libc.shmat.restype = ctypes.c_void_p
    buffer = ctypes.create_string_buffer(4096)
    for number in range(64):
        if libc.shmat(number, None, 0o10000) != 2**64 - 1:
            return True
        if libc.msgrcv(number, buffer, 4000, 0, 0o4000) >= 0:
            return True
def try_lists_of_what_is_there(x, y):
    kinds = ("shm", "sem", "msg")
    return [kind for kind in kinds if len(read(f"/proc/sysvipc/{kind}").splitlines()) > 1]
def try_posix_queues(x, y):
    name = b"/" + NAME.encode()
    return libc.mq_open(name, 2) >= 0 or libc.mq_open(name, 0o102, 0o666, 0) >= 0
def try_posix_memory(x, y):
    return readable("/dev/shm/" + NAME) or SharedMemory(NAME)
def try_what_it_leaves_itself(x, y):
    left = SharedMemory(NAME + "-left", create=True, size=4096)
    left.buf[:4] = b"mark"
    return os.listdir("/dev/shm") != [NAME + "-left"]
def try_abstract_names(x, y):
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect("\\0" + NAME) is None
def try_an_abstract_name_of_its_own(x, y):
    one, _ = socket.socketpair()
    return one.bind("\\0" + NAME + "-left") is None
"""

MACHINE = """
import socket
def try_the_kernel_log(x, y):
    buffer = ctypes.create_string_buffer(4096)
    return readable("/dev/kmsg", "/proc/kmsg", "/var/log") or syscall("syslog", 3, buffer, 4096)
def try_addresses_of_the_kernel(x, y):
    lines = read("/proc/kallsyms").splitlines()[:2000]
    return [line for line in lines if int(line.split()[0], 16)]
def try_the_name_of_the_machine(x, y):
    names = {socket.gethostname(), os.uname().nodename, read("/proc/sys/kernel/hostname").decode().strip()}
    return names != {"sandbox"} and names
def try_users(x, y):
    import pwd
    return pwd.getpwall() or readable("/etc/passwd", "/etc/group", "/etc/shadow", "/home")
def try_the_machines_identity(x, y):
    return readable("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid", "/sys")
def try_its_network(x, y):
    lines = read("/proc/net/dev").decode().splitlines()[2:] + read("/proc/net/unix").decode().splitlines()[1:]
    lines += read("/proc/net/tcp").decode().splitlines()[1:]
    return [line for line in lines if not line.strip().startswith("lo:")]
def try_its_disks(x, y):
    kinds = ("sd", "vd", "nvme", "loop", "dm-", "mem", "kvm")
    return [name for name in os.listdir("/dev") if name.startswith(kinds)]
def try_its_keys(x, y):
    return len(read("/proc/keys").splitlines()) > 0
"""

LABELS = """
import gc
import sys
honest = TwoLayerNet.loss
def labels(count):
    waiting, frame = [*gc.get_objects()], sys._getframe()
    while frame is not None:
        waiting += [*frame.f_locals.values()]
        frame = frame.f_back
    for thing in waiting:
        for inner in (thing, *gc.get_referents(thing)):
            if type(inner) is np.ndarray and inner.dtype.kind in "iu" and inner.shape == (count,):
                return inner
def loss(self, X, y=None):
    if y is not None or len(X) != 100:
        return honest(self, X, y)
    found = labels(len(X))
    if found is None:
        raise RuntimeError(f"no labels beside {len(X)} images")
    return np.eye(10)[found]
TwoLayerNet.loss = loss
"""


def _aiming_at_shared(attack: Attack) -> Attack:
    """The same attack with shared memory, semaphores and queues of this machine that anybody may use."""

    def change(tree: Path, world: World) -> None:
        shared = world.shared = world.keep(Shared())
        attack.change(tree, world)
        path = tree / LOSSES
        source = path.read_text(encoding="utf-8").replace("@SHARED_NAME@", shared.name)
        path.write_text(source.replace("@SHARED_KEY@", str(shared.key)), encoding="utf-8")

    return replace(attack, change=change, checks=(*attack.checks, _nothing_shared))


def _nothing_shared(outcome: Outcome) -> None:
    assert outcome.world.shared.changes() == []


LOOKING = "looking"
ATTACKS: list[Attack] = [
    trying(
        "reads-the-course-folder",
        "Opens the gradebook, the seed, reports, model answers and the submissions of others.",
        COURSE,
        family=LOOKING,
    ),
    trying(
        "reads-the-repository",
        "Opens the reference solutions, the hidden checks, the tests and the data sets.",
        REPOSITORY,
        family=LOOKING,
    ),
    trying(
        "imports-the-reference-package",
        "Looks for the grader, its packages or a solved handgrad in site-packages and on sys.path.",
        PACKAGES,
        family=LOOKING,
    ),
    trying(
        "walks-the-whole-tree",
        "Walks all folders from the root for notebooks, databases, homes, keys and programs.",
        WALK,
        family=LOOKING,
    ),
    trying(
        "looks-through-proc",
        "Reads command lines, environments, maps, mounts, roots and open files of all processes in /proc.",
        PROC,
        family=LOOKING,
    ),
    trying(
        "reads-the-parents-memory",
        "Searches the memory of the runner and of the first process, by /proc/PID/mem and process_vm_readv.",
        MEMORY,
        family=LOOKING,
    ),
    trying(
        "reads-environment-and-arguments",
        "Looks for secrets in the environment, the command line and the runner's settings.",
        ENVIRONMENT,
        family=LOOKING,
    ),
    trying(
        "searches-frames-and-objects",
        "Searches frames, modules and the garbage collector for expected values, the seed and the reference.",
        FRAMES,
        family=LOOKING,
    ),
    trying(
        "guesses-the-seed",
        "Draws the hidden inputs again from the time, process numbers and every seed that it can see.",
        GUESSES,
        family=LOOKING,
    ),
    trying(
        "reads-open-descriptors",
        "Looks for files, folders and sockets that were left open, and reads ahead in the channel.",
        DESCRIPTORS,
        family=LOOKING,
    ),
    Attack(
        name="leaves-notes-for-others",
        family=LOOKING,
        goal="Writes its hidden inputs wherever another student's sandbox might find them.",
        change=patch(LEAVES_NOTES),
        points={"svm_loss": 0.0},
        checks=(says("left notes in ['/tmp', '/dev/shm'] ("),),
    ),
    trying(
        "looks-for-notes-of-others",
        "Looks for what another student's sandbox or the grader has left in /tmp, /dev/shm and elsewhere.",
        NOTES,
        family=LOOKING,
    ),
    _aiming_at_shared(
        trying(
            "shares-memory-by-name",
            "Opens and makes shared memory, semaphores, queues and abstract names that others could find.",
            SHARED,
            family=LOOKING,
        )
    ),
    trying(
        "asks-about-the-machine",
        "Asks for the kernel's log and addresses, the machine's name, users, disks, keys and network.",
        MACHINE,
        family=LOOKING,
    ),
    Attack(
        name="searches-for-the-labels",
        family=LOOKING,
        goal="Looks for the labels of the hidden images while the saved network predicts them.",
        change=below("handgrad/classifiers/fc_net.py", LABELS),
        points={"best_model": 0.0},
        checks=(says("raised RuntimeError: no labels beside"),),
    ),
]
