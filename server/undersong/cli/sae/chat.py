"""Whom a subcommand may ask in words: a server, or an instruct model of one's own."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from undersong.errors import BadInput

if TYPE_CHECKING:
    from undersong.sae.labelling.chat import Chat

KEY = "OPENAI_API_KEY"


def add_chat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", metavar="URL", help="an OpenAI-compatible server to ask: its address up to /v1")
    parser.add_argument("--endpoint-model", metavar="NAME", help="the model to ask there for")
    parser.add_argument("--key-env", default=KEY, metavar="VARIABLE", help=f"where its key is (default: {KEY})")
    parser.add_argument("--chat-model", metavar="PATH", help="an instruct model to ask: folder or hub id")


def open_chat(arguments: argparse.Namespace) -> Chat | None:
    """Whom to ask, None where nobody was named. Says on stderr if text leaves the machine."""
    if arguments.endpoint and arguments.chat_model:
        raise BadInput("expected --endpoint or --chat-model, found both")
    if arguments.endpoint:
        from undersong.sae.labelling.endpoint import Endpoint

        if not arguments.endpoint_model:
            raise BadInput("expected --endpoint-model with --endpoint")
        chat = Endpoint(arguments.endpoint, arguments.endpoint_model, os.environ.get(arguments.key_env))
        if chat.is_elsewhere:
            print(f"passages of your text are sent to {chat.where}", file=sys.stderr)
        return chat
    if arguments.chat_model:
        from undersong.model.load import load_model
        from undersong.sae.labelling.local import LocalChat

        own = load_model(arguments.chat_model, arguments.device, offline=arguments.offline)
        return LocalChat(own.network, own.tokenizer, own.name, own.context)
    return None
