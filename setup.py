"""What is installed, under which name, and what it needs.

The distribution `lomond-gevent` holds two packages: `lomond`, the client, and `lomond_gevent`,
the same client on greenlets. Tools are configured in `pyproject.toml`, never here.
"""

from __future__ import annotations

import os
import runpy
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

try:
    from Cython.Build import cythonize
    from Cython.Compiler.Errors import CompileError
except ImportError:  # pure Python does the same
    cythonize = None

ROOT = Path(__file__).parent

TEST = [
    "coverage[toml]>=7.10,<8",
    "hypothesis>=6.130,<7",
    "jsonschema>=4.23,<5",
    "mypy>=2.4,<3",
    "psutil>=7,<8",
    "pytest>=9,<10",
    # A formatter's next minor version may lay the same code out in another way.
    "ruff>=0.17.6,<0.18",
    "trustme>=1.2,<2",
    "websockets>=15,<18",
    "wsproto>=1.2,<2",
]
# There are wheels for Linux on x86-64 only.
FUZZ = ["atheris>=2.3,<4"]
# Pinned: which mutants there are, and the functions that make them, change with any version.
MUTANTS = ["mutmut==3.8.1"]
# The load generator: its tables and live view, the interchange of its histograms, its own server.
LOAD = ["hdrhistogram>=0.10.3,<0.11", "picows>=2.3,<3", "rich>=14,<16"]
# Locust's own bound on Python: on an older one the extra is empty.
LOCUST = ['locust>=2.47,<3; python_version >= "3.11"']
# Whose servers the client is tried with. Node's `ws` comes by npm, where there is one.
INTEROP = [
    "aiohttp>=3.13,<4",
    "gevent-websocket>=0.10.1,<0.11",
    "picows>=2.3,<3",
    "tornado>=6.5,<7",
    "websockets>=15,<18",
]

# Optional: without a compiler the installation goes on, and pure Python does the same.
ACCELERATOR = Extension(
    "lomond.protocol._accelerator",
    ["lomond/protocol/_accelerator.c"],
    # Some interpreters are built, and build, with -O2, by which 64 KiB take twice as long.
    extra_compile_args=["-O3"],
    optional=True,
)

# What each message passes through. A translated module takes the place of its source, see
# `lomond.protocol.compiled`; the types are in the .pxd beside each source.
HOT = [
    "lomond.channel",
    "lomond.exchange",
    "lomond.outbox",
    "lomond.protocol.client",
    "lomond.protocol.connection",
    "lomond.protocol.frames",
    "lomond.protocol.heartbeat",
    "lomond.protocol.inbound",
    "lomond.protocol.masking",
    "lomond.protocol.outgoing",
    "lomond.session",
    "lomond.transport",
    "lomond_gevent.exchange",
    "lomond_gevent.locust.connection",
    "lomond_gevent.locust.correlation",
    "lomond_gevent.locust.inbox",
    "lomond_gevent.locust.pushes",
    "lomond_gevent.locust.replies",
    "lomond_gevent.locust.reply",
    "lomond_gevent.locust.rows",
    "lomond_gevent.locust.traffic",
    "lomond_gevent.transport",
]
DIRECTIVES = {
    "language_level": 3,
    # Annotations are for people and mypy; what is a C type is said in the .pxd.
    "annotation_typing": False,
    # Methods as in C, without a signature to inspect; see below for what users see.
    "binding": False,
}
SEEN_BY_USERS = ["lomond.session", "lomond_gevent.locust.reply"]


class BuildExtensions(build_ext):
    """Build the hot modules as well, all or none, but never for who edits their sources."""

    def finalize_options(self) -> None:
        """Add them, still untranslated: `sdist` asks as well."""
        if can_translate():
            self.distribution.ext_modules += [extension_of(module) for module in HOT]
        super().finalize_options()

    def build_extensions(self) -> None:
        """Translate and compile."""
        hot = [extension for extension in self.extensions if "._compiled." in extension.name]
        others = [extension for extension in self.extensions if extension not in hot]
        if self.inplace or self.editable_mode:
            self.extensions, hot = others, []
        try:
            for extension in hot:
                translate(extension, self.build_temp)
        except CompileError as error:
            print(f"pure Python does, for {error}", file=sys.stderr)
            self.extensions = others
        self.parallel = self.parallel or os.cpu_count()
        super().build_extensions()
        built = [Path(self.get_ext_fullpath(extension.name)) for extension in hot]
        if not all(path.exists() for path in built):
            for path in built:
                path.unlink(missing_ok=True)


def can_translate() -> bool:
    """Tell whether there is Cython, and the GIL, which what it makes needs."""
    has_gil = not sysconfig.get_config_var("Py_GIL_DISABLED")
    return cythonize is not None and has_gil and sys.implementation.name == "cpython"


def extension_of(module: str) -> Extension:
    """Describe the compiled twin of a module, in a folder of its own."""
    package, _, name = module.rpartition(".")
    source = module.replace(".", "/") + ".py"
    # Without what a debugger needs: that is three quarters of the file.
    arguments = ["-O2", "-g0"]
    return Extension(
        f"{package}._compiled.{name}", [source], extra_compile_args=arguments, optional=True
    )


def translate(extension: Extension, folder: str) -> None:
    """Replace the source of a hot module by C, in which it has the name that it goes by."""
    module = extension.name.replace("._compiled", "")
    directives = {**DIRECTIVES, "binding": module in SEEN_BY_USERS}
    translated = Extension(module, extension.sources)
    (made,) = cythonize(
        translated, build_dir=folder, compiler_directives=directives, force=True, quiet=True
    )
    extension.sources = made.sources


setup(
    name="lomond-gevent",
    # Run as a file of its own: importing the package would need what is yet to be installed.
    version=runpy.run_path(str(ROOT / "lomond" / "_version.py"))["__version__"],
    description="A WebSocket client that turns a connection into an orderly stream of events, "
    "on threads and on gevent greenlets",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="the lomond-gevent authors",
    license_expression="BSD-3-Clause",
    license_files=["LICENSE"],
    keywords=["websocket", "client", "gevent", "rfc6455", "permessage-deflate", "load testing"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Internet :: WWW/HTTP",
        "Topic :: Software Development :: Libraries :: Python Modules",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["lomond", "lomond.*", "lomond_gevent", "lomond_gevent.*"]),
    package_data={
        "lomond": ["py.typed"],
        "lomond.protocol": ["*.pyi"],
        "lomond_gevent": [
            "py.typed",
            "load/report/schema.json",
            "load/report/style.css",
            "locust/page/tab.css",
            "locust/page/tab.js",
        ],
    },
    # Others have compilers of their own, for which a call into C is what is slow.
    ext_modules=[ACCELERATOR] if sys.implementation.name == "cpython" else [],
    cmdclass={"build_ext": BuildExtensions},
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "certifi",
        "gevent>=24.11",
        # For where the accelerator cannot be compiled, and only where there is a wheel of it:
        # elsewhere the masking falls back to pure Python by itself.
        'wsaccel>=0.6.7; python_version < "3.14" and platform_python_implementation == "CPython"',
    ],
    entry_points={"console_scripts": ["lomond-load = lomond_gevent.load.cli:main"]},
    extras_require={
        "load": LOAD,
        "locust": LOCUST,
        "test": TEST,
        "interop": INTEROP,
        "fuzz": FUZZ,
        "mutants": MUTANTS,
    },
)
