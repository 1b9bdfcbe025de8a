"""The system calls that a sandbox may make: a seccomp filter, which bubblewrap hands to the kernel.

Namespaces hide the machine from student code; the kernel itself stays in reach through its system calls, and
a hole in any of them would be a way out. A computation in NumPy or PyTorch needs few of them: files, memory,
threads, pipes, time. `REFUSED` names the others, in groups that say why each is not needed and what it has
been good for in attacks. Four rules more:

- Calls newer than Linux 5.18 do not exist here (ENOSYS). Libraries then do what they do on an older kernel,
  and what a future kernel adds is closed before anybody has looked at it.
- `clone` makes processes and threads and no namespaces. `clone3` keeps its flags in memory, where a filter
  cannot read them: it does not exist, and the C library falls back on `clone`.
- `ioctl` reaches every driver there is. The six requests stay that Python makes of files, pipes and
  terminals; the others, TIOCSTI (typing into the grader's terminal) among them, get ENOTTY.
- `socketpair` stays, for AF_UNIX: asyncio and multiprocessing wake each other with it. `socket` goes: there
  is no network to reach, and each family, netlink and raw packets above all, is kernel code of its own.

A call in another architecture's numbering (i386 or x32 on x86_64) ends the process: no honest program makes
it. The kernel keeps a table of the calls that are always allowed, so they cost nothing.
"""

from __future__ import annotations

import errno
import platform
import struct
import sys
from dataclasses import dataclass
from functools import cache

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as the kernel's audit names them
NEWEST = 450  # the last call of Linux 5.18; from 424 on, numbers are the same on all architectures
X32 = 0x40000000  # marks x32's numbers on x86_64

# Results of a filter.
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000

AF_UNIX = 1
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
REQUESTS = {
    "TCGETS": 0x5401,  # is it a terminal?
    "TIOCGWINSZ": 0x5413,  # how wide is it? (tqdm)
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
}


@dataclass(frozen=True)
class Group:
    """System calls that are refused for one reason.

    Args:
        why: the reason.
        error: the errno that they return.
        table: name, number on x86_64, number on aarch64 of each; "-" where there is none.
    """

    why: str
    error: int
    table: str

    def numbers(self, machine: str) -> dict[str, int]:
        """The numbers of these calls on a machine, by name."""
        column = 1 + list(ARCHITECTURES).index(machine)
        rows = [line.split() for line in self.table.replace("\n", ",").split(",") if line.strip()]
        return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


REFUSED = (
    Group(
        "Debugging and looking into other processes: their memory, descriptors and threads.",
        errno.EPERM,
        """ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, kcmp 312 272
        pidfd_open 434 434, pidfd_getfd 438 438, pidfd_send_signal 424 424, process_madvise 440 440
        process_mrelease 448 448, get_robust_list 274 100""",
    ),
    Group(
        "Programs in the kernel, views of it, filters of one's own: large, and many times broken.",
        errno.EPERM,
        """bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, seccomp 317 277, syslog 103 116
        lookup_dcookie 212 18, landlock_create_ruleset 444 444, landlock_add_rule 445 445
        landlock_restrict_self 446 446""",
    ),
    Group(
        "Asynchronous input and output, the most exploited part of late; who misses it reads and writes.",
        errno.ENOSYS,
        """io_uring_setup 425 425, io_uring_enter 426 426, io_uring_register 427 427, io_setup 206 0
        io_destroy 207 1, io_submit 209 2, io_cancel 210 3, io_getevents 208 4, io_pgetevents 333 292""",
    ),
    Group(
        "Keyrings: they are not part of any namespace, so they would be shared with the grader's user.",
        errno.EPERM,
        "add_key 248 217, request_key 249 218, keyctl 250 219",
    ),
    Group(
        "Namespaces: they make a process root of a world of its own, and much of the kernel reachable.",
        errno.EPERM,
        "unshare 272 97, setns 308 268",
    ),
    Group(
        "Its flags cannot be read by a filter; the C library falls back on clone.",
        errno.ENOSYS,
        "clone3 435 435",
    ),
    Group(
        "Mounts, roots, quotas, swap, device files and FIFOs: the tree is as it is.",
        errno.EPERM,
        """mount 165 40, umount2 166 39, pivot_root 155 41, chroot 161 51, open_tree 428 428
        move_mount 429 429, fsopen 430 430, fsconfig 431 431, fsmount 432 432, fspick 433 433
        mount_setattr 442 442, swapon 167 224, swapoff 168 225, quotactl 179 60, quotactl_fd 443 443
        acct 163 89, mknod 133 -, mknodat 259 33, ustat 136 -, sysfs 139 -, nfsservctl 180 42""",
    ),
    Group(
        "Files by number: they lead around the tree that the sandbox was given.",
        errno.EPERM,
        "name_to_handle_at 303 264, open_by_handle_at 304 265",
    ),
    Group(
        "Watching files: nothing changes that a computation would have to see.",
        errno.EPERM,
        """inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, inotify_rm_watch 255 28
        fanotify_init 300 262, fanotify_mark 301 263""",
    ),
    Group(
        "Writing out the whole machine's files: it would stop everybody's disks.",
        errno.EPERM,
        "sync 162 81, syncfs 306 267",
    ),
    Group(
        "The machine: its clock, name, modules, ports and restart.",
        errno.EPERM,
        """reboot 169 142, kexec_load 246 104, kexec_file_load 320 294, init_module 175 105
        finit_module 313 273, delete_module 176 106, settimeofday 164 170, clock_settime 227 112
        adjtimex 159 171, clock_adjtime 305 266, sethostname 170 161, setdomainname 171 162, vhangup 153 58
        iopl 172 -, ioperm 173 -""",
    ),
    Group(
        "Ways of running that nobody uses any more, and exploits do.",
        errno.EPERM,
        """modify_ldt 154 -, personality 135 92, uselib 134 -, execveat 322 281, remap_file_pages 216 234""",
    ),
    Group(
        "Names of calls that Linux no longer has, or never had.",
        errno.ENOSYS,
        """_sysctl 156 -, create_module 174 -, get_kernel_syms 177 -, query_module 178 -, getpmsg 181 -
        putpmsg 182 -, afs_syscall 183 -, tuxcall 184 -, security 185 -, vserver 236 -, epoll_ctl_old 214 -
        epoll_wait_old 215 -, set_thread_area 205 -, get_thread_area 211 -""",
    ),
    Group(
        "The network, and Unix sockets with a name.",
        errno.EPERM,
        """socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242""",
    ),
    Group(
        "Messages, semaphores and memory between programs, old style; Python's own use files and futexes.",
        errno.EPERM,
        """shmget 29 194, shmat 30 196, shmctl 31 195, shmdt 67 197, semget 64 190, semop 65 193
        semctl 66 191, semtimedop 220 192, msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187
        mq_open 240 180, mq_unlink 241 181, mq_timedsend 242 182, mq_timedreceive 243 183
        mq_notify 244 184, mq_getsetattr 245 185""",
    ),
    Group(
        "Pages of memory placed, moved, hidden, or given to pipes (Dirty Pipe); BLAS ignores a refusal.",
        errno.EPERM,
        """mbind 237 235, set_mempolicy 238 237, get_mempolicy 239 236, set_mempolicy_home_node 450 450
        migrate_pages 256 238, move_pages 279 239, memfd_secret 447 447, splice 275 76, tee 276 77
        vmsplice 278 75""",
    ),
    Group(
        "Priorities and timers of the kernel's: one's own threads sleep and wait without them.",
        errno.EPERM,
        """sched_setscheduler 144 119, sched_setparam 142 118, sched_setattr 314 274, setpriority 141 140
        ioprio_set 251 30, timer_create 222 107""",
    ),
    Group("Waiting for several locks at once: no library needs it.", errno.ENOSYS, "futex_waitv 449 449"),
)

# Numbers of the calls that depend on their arguments.
CLONE = {"x86_64": 56, "aarch64": 220}
IOCTL = {"x86_64": 16, "aarch64": 29}
SOCKETPAIR = {"x86_64": 53, "aarch64": 199}

_NUMBER, _ARCHITECTURE = 0, 4  # offsets in what a filter reads, struct seccomp_data
_LOAD, _RETURN = 0x20, 0x06
_EQUAL, _GREATER, _ANY_BIT = 0x15, 0x25, 0x45


def refused(machine: str) -> dict[int, int]:
    """The errno of each call that is always refused, by its number."""
    return {number: group.error for group in REFUSED for number in group.numbers(machine).values()}


@cache
def program(machine: str = "") -> bytes:
    """The filter in the kernel's form, an array of struct sock_filter.

    Args:
        machine: "x86_64" or "aarch64"; this machine by default.
    Returns:
        nothing where the machine is neither: its calls have other numbers.
    """
    machine = machine or (platform.machine() if sys.maxsize > 1 << 32 else "")
    if machine not in ARCHITECTURES:
        return b""
    lines = [_load(_ARCHITECTURE), *_unless(_EQUAL, ARCHITECTURES[machine], KILL_PROCESS), _load(_NUMBER)]
    if machine == "x86_64":
        lines += _if(_GREATER, X32 - 1, KILL_PROCESS)
    lines += _if(_GREATER, NEWEST, ERRNO | errno.ENOSYS)
    for number, error in sorted(refused(machine).items()):
        lines += _if(_EQUAL, number, ERRNO | error)
    lines += _when(CLONE[machine], 0, _if(_ANY_BIT, NEW_NAMESPACES, ERRNO | errno.EPERM))
    lines += _when(SOCKETPAIR[machine], 0, _unless(_EQUAL, AF_UNIX, ERRNO | errno.EPERM))
    allowed = [line for request in REQUESTS.values() for line in _if(_EQUAL, request, ALLOW)]
    lines += _when(IOCTL[machine], 1, [*allowed, (_RETURN, 0, 0, ERRNO | errno.ENOTTY)])
    return b"".join(struct.pack("=HBBI", *line) for line in [*lines, (_RETURN, 0, 0, ALLOW)])


# Each line is an operation, how many lines to skip if it holds and if not, and a constant. No jump is longer
# than one of these blocks, so none can miss its mark when a call is added.


def _load(offset: int) -> tuple:
    return (_LOAD, 0, 0, offset)


def _if(test: int, value: int, result: int) -> list[tuple]:
    """Return the result if the test holds for what was loaded."""
    return [(test, 0, 1, value), (_RETURN, 0, 0, result)]


def _unless(test: int, value: int, result: int) -> list[tuple]:
    return [(test, 1, 0, value), (_RETURN, 0, 0, result)]


def _when(number: int, argument: int, rules: list[tuple]) -> list[tuple]:
    """For one call, apply rules to the lower half of an argument, and allow it if none has returned.

    The kernel itself takes these arguments as 32 bits.
    """
    block = [_load(16 + 8 * argument), *rules, (_RETURN, 0, 0, ALLOW)]
    return [(_EQUAL, 0, len(block), number), *block]
