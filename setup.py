"""What is installed, under which name, and what it needs.

The distribution `lomond-gevent` holds two packages: `lomond`, the client, and `lomond_gevent`,
the same client on greenlets. Tools are configured in `pyproject.toml`, never here.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup

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
