"""Client profiles: what real editors announce.

Three come with pytest-lsp. The fourth is ours: those members of what Helix 24.3 announces that a server of prose
reads; it has inlay hints and no refresh.
"""

from __future__ import annotations

import json
from pathlib import Path

from lsprotocol import types
from pygls.protocol import default_converter
from pytest_lsp import client_capabilities

BUNDLED = {"neovim 0.11": "neovim@0.11", "vscode 1.65": "visual-studio-code", "eglot 29.1": "emacs"}
OWN = {"helix 24.3": Path(__file__).parent / "helix_24_3.json"}
PROFILES = (*BUNDLED, *OWN)


def capabilities_of(profile: str) -> types.ClientCapabilities:
    if profile in BUNDLED:
        return client_capabilities(BUNDLED[profile])
    return default_converter().structure(json.loads(OWN[profile].read_text()), types.ClientCapabilities)
