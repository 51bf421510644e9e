"""What docs/python.md shows runs."""
import pathlib
import re

import pytest

import gw

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_there_are_some():
    assert len(SNIPPETS) >= 2


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_runs(snippet, monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(gw.Gateway, "run", lambda app, address: ended.append(app.start("127.0.0.1:0").stop()))
    exec(snippet, {"__name__": "snippet"})
    assert ended or "/users" in capsys.readouterr().out
