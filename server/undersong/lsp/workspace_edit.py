"""A suggestion as one workspace edit, in the richest form that the client takes."""

from __future__ import annotations

from lsprotocol import types

from undersong.assist.suggestions import Suggestion
from undersong.lsp.capabilities import ClientProfile
from undersong.lsp.positions import Positions
from undersong.text.document import Document

ANNOTATION = "undersong"


def suggested_edit(
    profile: ClientProfile, positions: Positions, document: Document, suggestion: Suggestion
) -> types.WorkspaceEdit:
    """Versioned where the client knows versioned edits, with the measured effect where it knows annotations.

    A rewrite that drops markup asks to be confirmed.
    """
    where, text = positions.range(document, suggestion.edit.span), suggestion.edit.text
    if not profile.document_changes:
        return types.WorkspaceEdit(changes={document.uri: [types.TextEdit(where, text)]})
    target = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    if not profile.change_annotations:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(target, [types.TextEdit(where, text)])])
    annotation = types.ChangeAnnotation(
        suggestion.effect, needs_confirmation=bool(suggestion.loss), description=suggestion.loss or None
    )
    annotated = types.AnnotatedTextEdit(ANNOTATION, where, text)
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(target, [annotated])],
        change_annotations={ANNOTATION: annotation},
    )
