"""Bars of progress: by tqdm where it is installed, on a terminal and in a notebook, else one line
that is written anew."""
from __future__ import annotations

import sys
from typing import Any, Optional

from ._library import Progress


class Bars:
    """A bar for each phase of a call."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase: Optional[str] = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            tqdm = None
        self._tqdm = tqdm

    def __call__(self, progress: Progress) -> None:
        if self._tqdm is None:
            end = "\n" if progress.finished else ""
            print(f"\r{progress.phase}: {progress.done} of {progress.total} {progress.unit}"
                  f", {progress.seconds:.0f} s ", end=end, file=sys.stderr, flush=True)
            return
        if self._phase != progress.phase:
            self.close()
            self._bar = self._tqdm(total=progress.total, unit=" " + progress.unit,
                                   desc=progress.phase)
            self._phase = progress.phase
        self._bar.update(progress.done - self._bar.n)
        if progress.finished:
            self.close()

    def close(self) -> None:
        """Ends the bar of the phase under way."""
        if self._bar is not None:
            self._bar.close()
        self._bar = self._phase = None
