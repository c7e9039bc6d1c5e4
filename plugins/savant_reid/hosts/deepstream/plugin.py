"""A Plugin as Savant's NvDsPyFuncPlugin. Imports Savant and pyds: only in Savant's container."""

from __future__ import annotations

from typing import Any

from savant.deepstream.pyfunc import NvDsPyFuncPlugin

from savant_reid.hosts.deepstream.bridge import savant_bridge
from savant_reid.hosts.deepstream.gather import CudaMemory, LateGatherer
from savant_reid.hosts.deepstream.hosted import instance_of
from savant_reid.hosts.deepstream.meters import Meters
from savant_reid.hosts.deepstream.model_identity import model_of_element
from savant_reid.hosts.deepstream.reader import CheckedReader
from savant_reid.hosts.deepstream.runner import Runner
from savant_reid.hosts.deepstream.troubles import Troubles
from savant_reid.hosts.deepstream.versions import version_warnings
from savant_reid.hosts.plugin import Plugin


class DeepStreamPlugin(NvDsPyFuncPlugin):  # type: ignore[misc]
    """Hands Savant's calls to a Runner. on_start may raise, and Savant then refuses to start; nothing later does.

    Savant makes attributes of kwargs, whatever they are called; here they go to the plugin, which checks them.
    """

    local_class: type[Plugin]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self._plugin: Plugin = instance_of(self.local_class, kwargs)
        self._runner: Runner | None = None

    def on_start(self) -> bool:
        super().on_start()
        for warning in version_warnings():
            self.logger.warning(warning)
        model = model_of_element(self.gst_element, self._plugin.embedding_model)
        if model is not None:
            self._plugin.accept_model(model)
        self._runner = self._make_runner()
        self._runner.start()
        return True

    def _make_runner(self) -> Runner:
        bridge, element, pipeline = savant_bridge(), self.gst_element.get_name(), self._video_pipeline
        troubles = Troubles(self.logger, element)
        return Runner(
            self._plugin,
            bridge,
            element,
            lambda batch: pipeline.get_batch(batch)[0],
            troubles,
            Meters(bridge, element, self.metrics, self._metrics_exporter),
            CheckedReader(bridge.pyds, lambda why: troubles.note("slow reading", "-", "-", why)),
            LateGatherer(CudaMemory, self._plugin.embedding_model) if self._plugin.embedding_model else None,
        )

    def on_stop(self) -> bool:
        if self._runner is not None:
            self._runner.stop()
        return bool(super().on_stop())

    def on_event(self, event: Any) -> None:
        """Savant looks up whom an event is about and may not know any more (KeyError): no fault of the stream."""
        try:
            super().on_event(event)
        except Exception as error:
            if self._runner is not None:
                self._runner.troubles.note("event", "-", "-", error)

    def on_source_add(self, source_id: str) -> None:
        if self._runner is not None:
            self._runner.source_added(source_id)

    def on_source_eos(self, source_id: str) -> None:
        if self._runner is not None:
            self._runner.source_ended(source_id)

    def on_source_delete(self, source_id: str) -> None:
        if self._runner is not None:
            self._runner.source_deleted(source_id)

    def process_buffer(self, buffer: Any) -> None:
        """In the place of the base's loop over frames: all cameras of a batch at once, and no wrapper per object."""
        if self._runner is not None:
            self._runner.process(buffer)
