"""The options of a session: read back, and changed while it runs."""

from __future__ import annotations

from sessionactors.actors.turn_rules import check_detector
from sessionactors.messages.session import ChangeOptions
from sessionactors.model.errors import OptionError
from sessionactors.model.options import SessionConnectOptions, TurnDetection
from sessionactors.model.sentinel import NOT_GIVEN, NotGivenOr, given

from .deprecations import warn_deprecated
from .session_link import SessionLink, Userdata_T
from .session_options import AgentSessionOptions
from .turn_handling import EndpointingOptions, group_flattened


class Settings(SessionLink[Userdata_T]):
    """The options of a session."""

    @property
    def options(self) -> AgentSessionOptions:
        """The options as they are now. An agent's own take their place while it is in charge."""
        return AgentSessionOptions(self._options)

    @property
    def conn_options(self) -> SessionConnectOptions:
        """Retries and timeouts of each kind of provider, and how many failures end the session."""
        options = self._options
        return SessionConnectOptions(
            options.stt_conn_options,
            options.llm_conn_options,
            options.tts_conn_options,
            options.max_unrecoverable_errors,
        )

    @property
    def turn_detection(self) -> TurnDetection:
        """Who says that a turn is over: a mode, a detector, or None: whatever the components allow."""
        detection = self._options.turn_detection
        return given(detection, None)

    def update_options(
        self,
        *,
        endpointing_opts: NotGivenOr[EndpointingOptions] = NOT_GIVEN,
        turn_detection: NotGivenOr[TurnDetection] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change options, also while the session runs. They stay when another agent takes over.

        What is waiting for a changed delay waits for the new one. An agent's own options still take precedence.

        Args:
            endpointing_opts: when a turn ends; keys that are absent stay as they are.
            turn_detection: who says so. None: silence alone.
            min_endpointing_delay: deprecated, as ``endpointing_opts["min_delay"]``.
            max_endpointing_delay: deprecated, as ``endpointing_opts["max_delay"]``.

        Raises:
            OptionError: a value is out of range or contradicts another; nothing is changed then.
        """
        changes = {} if endpointing_opts is NOT_GIVEN else group_flattened("endpointing", endpointing_opts)
        old = {
            name: (key, value)
            for name, key, value in (
                ("min_endpointing_delay", "min_delay", min_endpointing_delay),
                ("max_endpointing_delay", "max_delay", max_endpointing_delay),
            )
            if value is not NOT_GIVEN
        }
        if twice := sorted(set(changes) & set(old)):
            raise OptionError(f"{', '.join(twice)}: given both flat and in endpointing_opts; give each once")
        changes |= {name: value for name, (_, value) in old.items()}
        if turn_detection is not NOT_GIVEN:
            changes["turn_detection"] = turn_detection
        self._change_options(changes)
        for name, (key, _) in old.items():
            warn_deprecated(f"update_options({name}=...)", f"endpointing_opts[{key!r}]")

    def _change_options(self, changes: dict[str, object]) -> None:
        if not changes:
            return
        options = self._options.changed(changes)
        check_detector(options, self._vad)
        self._options = options
        if self._root is not None:
            self._root.tell(ChangeOptions(changes))
