"""What is known of one feature: its card, kept for the session, and its reading in a paragraph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types

from undersong import errors
from undersong.assist.readings import Held
from undersong.wire import CardRequest, FeatureCard, FeatureReading

if TYPE_CHECKING:
    from undersong.lsp.session import Session


async def feature_card(session: Session, feature: str) -> FeatureCard:
    """By id or exact name; asked of the engine's catalogue once. Raises what `EngineClient.card` raises."""
    kept = session.cards.get(feature)
    if kept is None:
        kept = await session.client().card(CardRequest(feature))
        session.cards[feature] = kept
    return kept


async def tell_unknown(session: Session, names: Iterable[str]) -> None:
    """Tell of each of these features, which the settings name, that there is none of it; once for each."""
    for name in names:
        cause = f"feature {name}"
        try:
            await feature_card(session, name)
        except errors.UnknownFeature as problem:
            session.notices.say_once(cause, types.MessageType.Warning, f"{problem.message} (named in the settings)")
        except errors.UndersongError:
            return  # asked again when the engine is there
        else:
            session.notices.forget(cause)


def reading_of(held: Held | None, feature: str) -> FeatureReading | None:
    """A feature's reading in a paragraph, if the paragraph's last reading lists it."""
    if held is None:
        return None
    return next((reading for reading in held.reading.features if reading.feature == feature), None)
