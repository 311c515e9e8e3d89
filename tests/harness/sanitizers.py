"""What the sanitizer builds need around them, and what they leave behind.

A report ends the process with an exit code of its own (TSan: at its end) and stands in its log; either
fails the suite. The variables mean nothing to other builds, so they are always set.
"""

import glob
import os
import re
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TESTS = os.path.join(ROOT, "tests")

OPTIONS = {
    "ASAN_OPTIONS": ["detect_leaks=1", "detect_stack_use_after_return=1", "strict_string_checks=1",
                     "check_initialization_order=1", "strict_init_order=1", "exitcode=66"],
    "LSAN_OPTIONS": ["exitcode=66"],
    "UBSAN_OPTIONS": ["print_stacktrace=1", "exitcode=66"],
    # A lock order is a matter of both stacks; a race's other side needs a long memory.
    "TSAN_OPTIONS": [f"suppressions={os.path.join(TESTS, 'tsan.supp')}", "second_deadlock_stack=1",
                     "history_size=5", "exitcode=66"],
}

REPORT = re.compile(r"(ERROR|WARNING|FATAL): \w+Sanitizer|\w+Sanitizer:DEADLYSIGNAL|: runtime error: ")

# Shadow memory has fixed places: more random bits than these, and a mapping may lie there.
SAFE_RANDOM_BITS = 28


def environment():
    """The process environment with the sanitizers' options; what the caller's says comes last, and wins."""
    result = dict(os.environ)
    for name, ours in OPTIONS.items():
        result[name] = ":".join(ours + [os.environ[name]] if os.environ.get(name) else ours)
    return result


def is_sanitized(preset):
    try:
        with open(os.path.join(ROOT, "build", preset, "CMakeCache.txt"), encoding="utf-8") as lines:
            return any(re.match(r"XYLEM_SANITIZE:\w+=.+|XYLEM_FUZZ:\w+=ON", line) for line in lines)
    except OSError:
        return False


def prefix(preset):
    """Words before a command of that build: none, or setarch where the kernel randomises too much."""
    try:
        with open("/proc/sys/vm/mmap_rnd_bits", encoding="utf-8") as text:
            bits = int(text.read())
    except (OSError, ValueError):
        bits = SAFE_RANDOM_BITS
    if bits <= SAFE_RANDOM_BITS or not is_sanitized(preset):
        return []
    command = ["setarch", "-R"]
    if subprocess.run(command + ["true"], check=False).returncode != 0:
        sys.exit(f"xylem: vm.mmap_rnd_bits is {bits}, more than the sanitizers bear, and setarch -R is refused "
                 f"here; as root: sysctl -w vm.mmap_rnd_bits={SAFE_RANDOM_BITS}")
    return command


def reports(directory, lines_each=60):
    """Path and text of what the sanitizers wrote into the logs of `directory`."""
    found = []
    for path in sorted(glob.glob(os.path.join(directory, "*.log"))):
        with open(path, encoding="utf-8", errors="replace") as text:
            lines = text.read().splitlines()
        first = next((i for i, line in enumerate(lines) if REPORT.search(line)), None)
        if first is not None:
            count = sum(bool(REPORT.search(line)) for line in lines)
            shown = "\n".join(lines[first:first + lines_each])
            found.append(f"{path}: {count} lines of sanitizers, the first report:\n{shown}")
    return found


def exit_sentence(code):
    """How a process ended, in words; negative codes are signals, as subprocess has them."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
