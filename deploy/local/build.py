"""Configures and builds a CMake preset."""

import os
import subprocess
import sys

import packages

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def preset_dir(preset):
    return os.path.join(ROOT, "build", preset)


def binary(preset, name):
    return os.path.join(preset_dir(preset), "bin", name)


def build(preset, targets=(), extra_packages=()):
    """Builds `targets` (all if none) of `preset`; exits when the build fails."""
    packages.ensure(packages.read_list(os.path.join(ROOT, "packages.txt")) + list(extra_packages))
    if not os.path.exists(os.path.join(preset_dir(preset), "build.ninja")):
        run(["cmake", "--preset", preset])
    jobs = str(min(os.cpu_count() or 2, 3) if (os.cpu_count() or 2) < 8 else os.cpu_count())
    command = ["cmake", "--build", preset_dir(preset), "-j", jobs]
    for target in targets:
        command += ["--target", target]
    run(command)


def run(command):
    # Build chatter goes to stderr: stdout is for what the verb answers.
    if subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False).returncode != 0:
        sys.exit(f"xylem: '{' '.join(command[:3])}' failed")
