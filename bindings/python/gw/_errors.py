"""What setup and traffic raise."""
from typing import NamedTuple, Optional, Union


class Problem(NamedTuple):
    """One thing that is wrong with a configuration. `str()` makes a line of it."""

    file: str    # empty: code
    line: int    # from 1; 0: code
    column: int
    path: str    # such as "routes[2].forward"
    what: str

    def __str__(self) -> str:
        place = "%s:%d:%d" % (self.file, self.line, self.column) if self.file else ""
        return ": ".join(part for part in (place, self.path, self.what) if part)


class Error(Exception):
    """Something that gw cannot do now. `status`: the one that a client gets who is to blame for it, such as 413; else none."""

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        self.status = status
        super().__init__(message)


class ConfigError(Error, ValueError):
    """A configuration is wrong. `problems` has all that is."""

    def __init__(self, problems: Union[str, list[tuple[str, int, int, str, str]]]) -> None:
        if isinstance(problems, str):
            problems = [("", 0, 0, "", problems)]
        self.problems = [Problem(*problem) for problem in problems]
        super().__init__("\n".join(map(str, self.problems)))
