"""Which model of which provider a component is, for figures and bills."""

from __future__ import annotations

from typing import Protocol

from sessionactors.model.metrics import Metadata, MetadataReport


class Component(Protocol):
    """A recogniser, model, voice or detector."""

    @property
    def label(self) -> str:
        """Its kind."""

    @property
    def model(self) -> str:
        """Its model; empty if it has no name."""

    @property
    def provider(self) -> str:
        """Who serves it; empty if nobody does."""


def metadata_of(component: Component | None) -> Metadata | None:
    """Model and provider; a component whose model has no name goes by its label."""
    if component is None:
        return None
    return Metadata(component.model or component.label, component.provider or None)


def report_of(metadata: Metadata | None) -> MetadataReport | None:
    """The same for the metrics of an item: only what is known."""
    if metadata is None:
        return None
    report = MetadataReport()
    if metadata.model_name:
        report["model_name"] = metadata.model_name
    if metadata.model_provider:
        report["model_provider"] = metadata.model_provider
    return report
