"""Submissions that want to harm the machine, or to reach out of it."""

from pathlib import Path

from corpus import Attack, Outcome, World, no_marks, patch, says, together
from trying import Receivers, processes_named, trying

WRITES = """
PLACES = ["/", "/submission", "/submission/handgrad", "/runtime", "/runtime/site", "/runtime/python", "/usr",
          "/usr/lib", "/lib", "/etc", "/dev", "/proc", "/proc/sys/kernel", "/home", "@OUTSIDE@", "@COURSE@"]
PLACES += [line.split()[4] for line in read("/proc/self/mountinfo").decode().splitlines()]
PLACES = sorted({place for place in PLACES if place not in ("/tmp", "/dev/shm")})
FILES = ["/submission/handgrad/__init__.py", "/submission/manifest.toml", "/runtime/runner/runner.py"]
FILES += [np.__file__]
def all_of(places, action):
    got = []
    for place in places:
        try:
            action(place)
            got.append(place)
        except OSError:
            pass
    return got
def try_new_files(x, y):
    return all_of(PLACES, lambda place: open(place + "/mark", "x").close())
def try_new_folders(x, y):
    return all_of(PLACES, lambda place: os.mkdir(place + "/mark"))
def try_overwriting(x, y):
    return all_of(FILES, lambda path: os.close(os.open(path, os.O_RDWR)))
def try_truncating(x, y):
    return all_of(FILES, lambda path: os.truncate(path, 0))
def try_deleting(x, y):
    return all_of(FILES, os.unlink)
def try_renaming(x, y):
    here, there = lambda p: os.rename(p, p + ".old"), lambda p: os.rename(p, "/tmp/path")
    return all_of(FILES, here) + all_of(FILES, there)
def try_deleting_folders(x, y):
    import shutil
    return all_of(["/submission/handgrad", "/runtime/runner", "@COURSE@/submitted"], shutil.rmtree)
def try_by_open_descriptors(x, y):
    descriptors = [os.open(path, os.O_RDONLY) for path in FILES]
    paths = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    return all_of(paths, lambda path: os.close(os.open(path, os.O_WRONLY)))
def try_by_mapped_memory(x, y):
    import mmap
    with open(FILES[-1], "rb") as file:
        return mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
def try_settings_of_the_kernel(x, y):
    names = ("kernel/core_pattern", "kernel/hostname", "kernel/modprobe", "vm/drop_caches")
    paths = [f"/proc/sys/{name}" for name in names] + ["/proc/sysrq-trigger", "/proc/self/setgroups"]
    return all_of(paths, lambda path: open(path, "wb", 0).write(b"0"))
"""

OWNERSHIP = """
FILES = ["/submission", "/submission/handgrad", "/submission/handgrad/layers/losses.py", "/runtime"]
FILES += [np.__file__]
def status():
    lines = read("/proc/self/status").decode().splitlines()
    return dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
def all_of(action):
    got = []
    for path in FILES:
        try:
            action(path)
            got.append(path)
        except OSError:
            pass
    return got
def try_permissions(x, y):
    return all_of(lambda path: os.chmod(path, 0o777))
def try_setuid(x, y):
    return all_of(lambda path: os.chmod(path, 0o4755))
def try_owners(x, y):
    return all_of(lambda path: os.chown(path, 1000, 1000)) or all_of(lambda path: os.chown(path, 0, 0))
def try_times(x, y):
    return all_of(lambda path: os.utime(path, (0, 0)))
def try_attributes(x, y):
    return all_of(lambda path: os.setxattr(path, "user.mark", b"1"))
def try_becoming_root(x, y):
    got = []
    for change in (os.setuid, os.setgid, os.seteuid, os.setegid):
        try:
            change(0)
            got.append(change.__name__)
        except OSError:
            pass
    return got or os.geteuid() == 0
def try_other_groups(x, y):
    return os.setgroups([0]) is None
def try_capabilities(x, y):
    return [name for name, value in status().items() if name.startswith("Cap") and int(value, 16)]
def try_mapping_users(x, y):
    return [open(f"/proc/self/{name}", "wb", 0).write(b"0 0 1") for name in ("uid_map", "gid_map")]
def try_programs_of_root(x, y):
    got = []
    for place in ("dbus-1.0", "openssh", "policykit-1", "polkit-1", "snapd", "eject", "xorg", "chromium"):
        for folder, _, names in os.walk("/usr/lib/" + place):
            paths = [os.path.join(folder, name) for name in names]
            got += [path for path in paths if os.lstat(path).st_mode & 0o6000]
    return got and status()["NoNewPrivs"] != "1"
def try_a_shell(x, y):
    import subprocess
    return subprocess.run("id", shell=True, capture_output=True).returncode == 0
"""

LINKS = """
def follow(make, target):
    path = f"/tmp/link-{abs(hash((make, target)))}"
    try:
        make(target, path)
        with open(path, "a") as file:
            return file.write("mark")
    except OSError:
        return 0
TARGETS = ["@OUTSIDE@/mark", "@COURSE@/gradebook.db", "/submission/handgrad/layers/losses.py", np.__file__]
def try_symbolic_links(x, y):
    return [target for target in TARGETS if follow(os.symlink, target)]
def try_hard_links(x, y):
    return [target for target in TARGETS if follow(os.link, target)]
def try_links_where_the_grader_reads(x, y):
    got = []
    for make in (os.symlink, os.link):
        for name in ("best_two_layer_net.npz", "handgrad/layers/affine.py", "mark"):
            try:
                make("@COURSE@/gradebook.db", "/submission/" + name)
                got.append(name)
            except OSError:
                pass
    return got
def try_folders_through_links(x, y):
    os.symlink("@OUTSIDE@", "/tmp/outside")
    return os.mkdir("/tmp/outside/mark") is None
def try_links_to_the_first_process(x, y):
    os.symlink("/proc/1/root@OUTSIDE@", "/tmp/root")
    with open("/tmp/root/mark", "w") as file:
        return file.write("mark")
"""

DEVICES = """
import stat
def made(mode, device=0, name="made"):
    for place in ("/tmp", "/dev/shm", "/submission", "@OUTSIDE@"):
        try:
            os.mknod(f"{place}/{name}", mode | 0o666, device)
            return place
        except OSError:
            pass
def try_fifos(x, y):
    return made(stat.S_IFIFO)
def try_fifos_by_name(x, y):
    return os.mkfifo("/tmp/fifo") is None
def try_the_disk(x, y):
    return [major for major in (7, 8, 252, 253, 254, 259) if made(stat.S_IFBLK, os.makedev(major, 0))]
def try_the_memory(x, y):
    return made(stat.S_IFCHR, os.makedev(1, 1)) or made(stat.S_IFCHR, os.makedev(1, 11))
def try_the_whiteout(x, y):
    return made(stat.S_IFCHR, 0)
def try_socket_files(x, y):
    return made(stat.S_IFSOCK)
def try_devices_that_are_there(x, y):
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
    kinds = (stat.S_IFBLK, stat.S_IFCHR)
    names = [name for name in os.listdir("/dev") if stat.S_IFMT(os.stat("/dev/" + name).st_mode) in kinds]
    return set(names) - harmless
"""

NETWORK = """
import socket
import urllib.request
ADDRESSES = "@ADDRESSES@"
def reach(name, family, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as caller:
        caller.settimeout(1)
        caller.connect(ADDRESSES[name])
        return caller.send(b"mark")
def try_tcp_by_ipv4(x, y):
    return reach("tcp4", socket.AF_INET)
def try_udp_by_ipv4(x, y):
    return reach("udp4", socket.AF_INET, socket.SOCK_DGRAM)
def try_tcp_by_ipv6(x, y):
    return reach("tcp6", socket.AF_INET6)
def try_udp_by_ipv6(x, y):
    return reach("udp6", socket.AF_INET6, socket.SOCK_DGRAM)
def try_http(x, y):
    host, port = ADDRESSES["tcp4"]
    return urllib.request.urlopen(f"http://{host}:{port}/?grade=100", timeout=1)
def try_names(x, y):
    return socket.gethostbyname("localhost.localdomain") or socket.getaddrinfo("example.org", 80)
def try_datagrams_without_connecting(x, y):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        return caller.sendto(b"mark", ADDRESSES["udp4"])
def try_listening(x, y):
    return socket.create_server(("127.0.0.1", 0))
def try_through_a_pair(x, y):
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"mark", ADDRESSES["unix"]) or one.bind("/tmp/socket") is None
"""

UNIX = """
import socket
ADDRESSES = "@ADDRESSES@"
def reach(path):
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(1)
        caller.connect(path)
        return caller.send(b"mark")
def try_a_socket_in_a_folder(x, y):
    return reach(ADDRESSES["unix"])
def try_an_abstract_socket(x, y):
    return reach(ADDRESSES["abstract"])
def try_sockets_of_services(x, y):
    services = ("/run/docker.sock", "/run/dbus/system_bus_socket", "/tmp/.X11-unix/X0")
    got = []
    for path in (*services, "\\0/tmp/.X11-unix/X0"):
        try:
            got.append(reach(path))
        except OSError:
            pass
    return got
def try_listening(x, y):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\\0handgrad")
        return True
def try_binding_half_of_a_pair(x, y):
    one, _ = socket.socketpair()
    return one.bind("/tmp/socket") is None
"""

FAMILIES = """
import socket
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET, socket.SOCK_RDM)
def opened(families, make):
    got = []
    for family in families:
        for kind in KINDS:
            try:
                make(family, kind)
                got.append((family, kind))
            except OSError:
                pass
    return got
def try_raw_packets(x, y):
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
def try_packets_of_the_card(x, y):
    return socket.socket(17, socket.SOCK_RAW, 0x0300)
def try_netlink(x, y):
    return [n for n in range(23) if opened([16], lambda family, kind: socket.socket(family, kind, n))]
def try_every_family(x, y):
    return opened(range(46), lambda family, kind: socket.socket(family, kind))
def try_pairs_of_every_family_but_unix(x, y):
    return opened([f for f in range(46) if f != 1], lambda family, kind: socket.socketpair(family, kind))
"""

KILLS_ALL = """
import os
import signal
def svm_loss(x, y):
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
        for target in (-1, 1, os.getppid()):
            try:
                os.kill(target, number)
            except OSError:
                pass
    os.killpg(0, signal.SIGKILL)
"""

STOPS_PARENT = """
import os
import signal
def svm_loss(x, y):
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
"""

PTRACE = """
def try_seizing(x, y):
    return syscall("ptrace", 0x4206, os.getppid(), 0, 0) or syscall("ptrace", 16, os.getppid(), 0, 0)
def try_seizing_the_first_process(x, y):
    return syscall("ptrace", 0x4206, 1, 0, 0)
def try_tracing_a_child(x, y):
    child = os.fork()
    if child == 0:
        os._exit(0 if syscall("ptrace", 0, 0, 0, 0) else 1)
    return os.waitpid(child, 0)[1] == 0
def try_writing_its_memory(x, y):
    here = ctypes.create_string_buffer(64)
    return syscall("ptrace", 4, os.getppid(), here, 0) or syscall("process_vm_writev", 1, here, 1, here, 1, 0)
def try_taking_its_descriptors(x, y):
    return syscall("pidfd_open", os.getppid(), 0) or syscall("pidfd_getfd", 3, 0, 0)
"""

KEYRINGS = """
def try_a_new_key(x, y):
    return syscall("add_key", b"user", b"mark", b"1", 1, -3)
def try_keys_of_the_user(x, y):
    return [ring for ring in (-1, -2, -3, -4, -5, -6, -7) if syscall("keyctl", 0, ring, 1)]
def try_a_session(x, y):
    return syscall("keyctl", 1, b"mark")
def try_asking_for_a_key(x, y):
    return syscall("request_key", b"user", b"mark", 0, -3)
"""

KERNEL = """
def refused(*names):
    return [name for name in names if syscall(name, *[0] * 6)]
def try_io_uring(x, y):
    parameters = ctypes.create_string_buffer(256)
    return syscall("io_uring_setup", 8, parameters) or refused("io_uring_enter", "io_uring_register")
def try_asynchronous_io(x, y):
    context = ctypes.c_ulong(0)
    return syscall("io_setup", 1, ctypes.byref(context))
def try_programs_in_the_kernel(x, y):
    attributes = ctypes.create_string_buffer(128)
    return [command for command in range(40) if syscall("bpf", command, attributes, 128)]
def try_performance_counters(x, y):
    attributes = ctypes.create_string_buffer((112).to_bytes(8, "little") + bytes(120))
    return syscall("perf_event_open", attributes, 0, -1, -1, 0)
def try_page_faults(x, y):
    return syscall("userfaultfd", 0) or syscall("userfaultfd", 1)
def try_modules(x, y):
    return refused("init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load")
def try_files_by_number(x, y):
    return syscall("open_by_handle_at", -100, ctypes.create_string_buffer(128), 0)
def try_hidden_memory(x, y):
    return syscall("memfd_secret", 0) or refused("vmsplice", "splice", "tee")
def try_other_personalities(x, y):
    return syscall("personality", 0x0400000) or syscall("personality", 0xFFFFFFFF)
def try_calls_of_the_future(x, y):
    return [number for number in range(451, 600) if syscall(number, *[0] * 6)]
"""

NAMESPACES = """
FLAGS = [1 << bit for bit in (7, 17, 25, 26, 27, 28, 29, 30)]
def try_leaving(x, y):
    return [flag for flag in FLAGS if syscall("unshare", flag)]
def try_a_child_in_its_own(x, y):
    got = []
    for flag in FLAGS[1:]:
        child = ctypes.CDLL(None).syscall(NUMBERS["clone"], flag | 17, 0, 0, 0, 0)
        if child == 0:
            os._exit(0)
        if child > 0:
            got.append(flag)
    return got
def try_a_child_by_the_newer_call(x, y):
    arguments = ctypes.create_string_buffer((0x10000000).to_bytes(8, "little") + bytes(80))
    return syscall("clone3", arguments, 88)
def try_entering(x, y):
    got = []
    for name in os.listdir("/proc/1/ns"):
        try:
            got.append(syscall("setns", os.open(f"/proc/1/ns/{name}", os.O_RDONLY), 0) and name)
        except OSError:
            pass
    return [name for name in got if name]
def try_mounting(x, y):
    kinds = (b"tmpfs", b"proc", b"sysfs", b"overlay", b"fuse", b"cgroup2", b"ext4")
    return [kind for kind in kinds if syscall("mount", kind, b"/tmp", kind, 0, 0)]
def try_mounting_again(x, y):
    return syscall("mount", b"/", b"/tmp", 0, 4096, 0) or syscall("mount", 0, b"/submission", 0, 32, 0)
def try_the_newer_mounts(x, y):
    calls = (("fsopen", b"tmpfs", 0), ("open_tree", -100, b"/", 1), ("fspick", -100, b"/", 0))
    return [call for call in calls if syscall(*call)]
def try_unmounting(x, y):
    return [path for path in (b"/proc", b"/submission", b"/runtime", b"/tmp") if syscall("umount2", path, 2)]
def try_another_root(x, y):
    return syscall("chroot", b"/tmp") or syscall("pivot_root", b"/tmp", b"/tmp")
def try_cgroups(x, y):
    return readable("/sys/fs/cgroup", "/proc/1/cgroup") and os.path.exists("/sys/fs/cgroup")
"""

DAEMON = """
import ctypes
import os
import signal
import time
NAME = "@NAME@"
STARTED = []
def affine_forward(x, w, b):
    if not STARTED and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
            ctypes.CDLL(None).prctl(15, NAME.encode())
            with open("/tmp/daemon", "a", 1) as file:
                while True:
                    file.write("still here ")
                    file.flush()
                    time.sleep(0.01)
        os._exit(0)
    STARTED.append(1)
    deadline = time.monotonic() + 5
    while not os.path.exists("/tmp/daemon") and time.monotonic() < deadline:
        time.sleep(0.01)
    return x.reshape(len(x), -1) @ w + b, (x, w)
"""

LOOKS_FOR_IT = """
import os
import time
NAME = "@NAME@"
def alive():
    names = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm") as file, open(f"/proc/{pid}/stat") as state:
                names += [file.read().strip()] * (state.read().rsplit(")", 1)[1].split()[0] != "Z")
        except OSError:
            pass
    return NAME in names
def svm_loss(x, y):
    before = os.path.getsize("/tmp/daemon")
    time.sleep(0.2)
    grown = os.path.getsize("/tmp/daemon") > before
    raise RuntimeError(f"it began {before > 0}, is there {alive()}, writes {grown}")
"""

TERMINAL = """
import fcntl
import termios
def terminals():
    for path in ("/dev/tty", "/dev/console", "/dev/ptmx", "/dev/pts/0", "/dev/pts/1", "/dev/tty0"):
        try:
            yield os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            pass
    yield from range(8)
def asked(request, argument):
    got = []
    for descriptor in terminals():
        try:
            fcntl.ioctl(descriptor, request, argument)
            got.append(descriptor)
        except OSError:
            pass
    return got
def try_typing(x, y):
    return [letter for letter in b"id\\n" if asked(termios.TIOCSTI, bytes([letter]))]
def try_selecting(x, y):
    return asked(0x541C, b"\\2" + bytes(16))
def try_taking_the_terminal(x, y):
    return asked(termios.TIOCSCTTY, 1)
def try_line_disciplines(x, y):
    return [number for number in range(1, 30) if asked(termios.TIOCSETD, number.to_bytes(4, "little"))]
def try_opening_the_graders(x, y):
    return [path for path in ("/dev/tty", "/dev/console", "/dev/tty0") if os.open(path, os.O_RDWR) > 2]
"""

CLOCK = """
import time
def try_the_clock(x, y):
    return time.clock_settime(time.CLOCK_REALTIME, 0.0) is None
def try_the_clock_by_other_calls(x, y):
    zero = ctypes.create_string_buffer(64)
    return syscall("settimeofday", zero, 0) or syscall("clock_settime", 0, zero)
def try_its_pace(x, y):
    buffer = ctypes.create_string_buffer((2).to_bytes(8, "little") + bytes(248))
    return syscall("adjtimex", buffer) or syscall("clock_adjtime", 0, buffer)
def try_the_name(x, y):
    return syscall("sethostname", b"mark", 4) or syscall("setdomainname", b"mark", 4)
def try_restarting(x, y):
    return syscall("reboot", 0xFEE1DEAD, 672274793, 0, 0)
def try_disks(x, y):
    return syscall("sync") or syscall("swapon", b"/tmp/swap", 0) or syscall("acct", b"/tmp/acct")
"""

PRIORITIES = """
import resource
def try_a_better_priority(x, y):
    return [step for step in (-20, -1) if os.nice(step) < 0]
def try_real_time(x, y):
    return os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)) is None
def try_deadlines(x, y):
    return syscall("sched_setattr", 0, ctypes.create_string_buffer((56).to_bytes(4, "little") + bytes(52)), 0)
def try_disk_priority(x, y):
    return syscall("ioprio_set", 1, 0, 1 << 13)
def try_surviving_when_memory_ends(x, y):
    got = []
    for process in ("self", "thread-self", os.getppid(), 1):
        for name, value in (("oom_score_adj", "-1000"), ("oom_score_adj", "0"), ("oom_score_adj", "999"),
                            ("oom_adj", "-17"), ("oom_adj", "0")):
            try:
                with open(f"/proc/{process}/{name}", "w") as file:
                    file.write(value)
                got.append((process, name, value))
            except OSError:
                pass
    return got
def try_finding_one_that_survives(x, y):
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    scores = [read(f"/proc/{pid}/oom_score_adj") for pid in pids]
    return len(scores) < 3 or [score for score in scores if int(score) != 1000]
def try_surviving_as_a_child(x, y):
    child = os.fork()
    if child == 0:
        os._exit(0 if int(read("/proc/self/oom_score_adj")) < 1000 else 1)
    return os.waitpid(child, 0)[1] == 0
def try_higher_limits(x, y):
    got = []
    for name in ("AS", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE"):
        number = getattr(resource, f"RLIMIT_{name}")
        soft, hard = resource.getrlimit(number)
        try:
            resource.setrlimit(number, (hard + 1, hard + 1))
            got.append(name)
        except (OSError, ValueError):
            pass
        try:
            resource.setrlimit(number, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            got.append(name)
        except (OSError, ValueError):
            pass
    return got
def try_locking_all_memory(x, y):
    return ctypes.CDLL(None).mlockall(3) == 0
"""

DUMPS = """
import os
import resource
def svm_loss(x, y):
    for limit in ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (1 << 20, 1 << 20)):
        try:
            resource.setrlimit(resource.RLIMIT_CORE, limit)
        except (OSError, ValueError):
            pass
    try:
        os.chdir("@OUTSIDE@")
    except OSError:
        os.chdir("/tmp")
    os.abort()
"""


def _aiming_at_sockets(attack: Attack) -> Attack:
    """The same attack with real sockets of this machine to reach, which nobody may reach."""

    def change(tree: Path, world: World) -> None:
        receivers = world.receivers = world.keep(Receivers())
        attack.change(tree, world)
        path = tree / "handgrad" / "layers" / "losses.py"
        source = path.read_text(encoding="utf-8").replace('"@ADDRESSES@"', repr(receivers.addresses))
        path.write_text(source, encoding="utf-8")

    return Attack(**{**vars(attack), "change": change, "checks": (*attack.checks, _nobody_called)})


def _nobody_called(outcome: Outcome) -> None:
    assert "tcp4" in outcome.world.receivers.addresses
    assert outcome.world.receivers.reached() == []


def _no_process_left(outcome: Outcome) -> None:
    assert processes_named(DAEMON_NAME) == []


DAEMON_NAME = "hg-left-over"
HARM = "harm"
ATTACKS: list[Attack] = [
    trying(
        "writes-on-every-mount",
        "Writes, deletes and renames on every mounted path, in the packages and in the kernel's settings.",
        WRITES,
        family=HARM,
    ),
    trying(
        "changes-owners-and-rights",
        "Changes permissions, owners and times of the submission, and wants to be root or to run a shell.",
        OWNERSHIP,
        family=HARM,
    ),
    trying(
        "links-out-of-scratch",
        "Makes symbolic and hard links in the scratch folder and writes through them.",
        LINKS,
        family=HARM,
    ),
    trying(
        "makes-devices-and-fifos",
        "Makes FIFOs, and device files for disks and memory, and looks for devices that are there.",
        DEVICES,
        family=HARM,
    ),
    _aiming_at_sockets(
        trying(
            "calls-out-by-ip",
            "Sends to TCP and UDP ports of this machine, by IPv4 and IPv6, and listens itself.",
            NETWORK,
            family=HARM,
        )
    ),
    _aiming_at_sockets(
        trying(
            "calls-out-by-unix-sockets",
            "Connects to Unix sockets of this machine, named and abstract, and to those of its services.",
            UNIX,
            family=HARM,
        )
    ),
    trying(
        "opens-every-kind-of-socket",
        "Opens raw, packet and netlink sockets, and one of every family that there is.",
        FAMILIES,
        family=HARM,
    ),
    Attack(
        name="kills-everybody",
        family=HARM,
        goal="Signals all processes, the first one, the runner and its own group.",
        change=patch(KILLS_ALL),
        points={"svm_loss": 0.0},
        checks=(says("svm_loss", '"status":"crash"'),),
    ),
    Attack(
        name="stops-the-runner",
        family=HARM,
        goal="Stops the runner and itself with SIGSTOP, so that nobody answers any more.",
        change=patch(STOPS_PARENT),
        points={"svm_loss": 0.0},
        checks=(says("svm_loss did not finish within"),),
    ),
    trying(
        "traces-the-runner",
        "Attaches to the runner and to the first process, and changes their memory and descriptors.",
        PTRACE,
        family=HARM,
    ),
    trying("fills-keyrings", "Adds keys to the keyrings of the grader's user.", KEYRINGS, family=HARM),
    trying(
        "opens-the-kernel",
        "Uses io_uring, bpf, userfaultfd, perf events and other parts in which kernels break.",
        KERNEL,
        family=HARM,
    ),
    trying(
        "makes-namespaces-and-mounts",
        "Makes user namespaces, enters others, and mounts, unmounts and changes the root.",
        NAMESPACES,
        family=HARM,
    ),
    Attack(
        name="leaves-a-daemon",
        family=HARM,
        goal="Forks twice into a session of its own, ignores signals, and goes on writing after its check.",
        change=together(
            patch(DAEMON.replace("@NAME@", DAEMON_NAME)), patch(LOOKS_FOR_IT.replace("@NAME@", DAEMON_NAME))
        ),
        points={"svm_loss": 0.0},
        checks=(says("it began True, is there False, writes False"), _no_process_left),
    ),
    trying(
        "types-into-the-terminal",
        "Types commands into the grader's terminal with TIOCSTI, and takes the terminal over.",
        TERMINAL,
        family=HARM,
    ),
    trying(
        "changes-the-clock", "Sets the clock and the machine's name, and restarts it.", CLOCK, family=HARM
    ),
    trying(
        "raises-its-priority",
        "Wants more time, more memory and higher limits than others, and to be killed last.",
        PRIORITIES,
        family=HARM,
    ),
    Attack(
        name="dumps-core",
        family=HARM,
        goal="Raises the limit of core files and aborts, to leave one on the machine.",
        change=patch(DUMPS),
        points={"svm_loss": 0.0},
        checks=(says("the process that ran it was ended by SIGABRT"), no_marks),
    ),
]
