"""The machine on which figures were measured."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> dict[str, str]:
    """Name of the processor and its widest vector extension."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    stripped = {key.strip(): value.strip() for key, value in fields.items()}
    flags = stripped.get("flags", "").split()
    extensions = (("avx512f", "AVX-512"), ("avx2", "AVX2"))
    vectors = next((name for flag, name in extensions if flag in flags), "unknown")
    return {"processor": stripped.get("model name", platform.processor()), "vectors": vectors}
