"""What docs/python.md shows runs."""
import pathlib
import re

import pytest

import gw

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "python.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


#: What each of them prints, in their order; the first one serves.
PRINTS = [None, "/users", '{"bytes":5}', "401", "/old/x"]


def test_all_of_them_are_known():
    assert len(SNIPPETS) == len(PRINTS)


@pytest.mark.parametrize("snippet, prints", list(zip(SNIPPETS, PRINTS)))
def test_a_snippet_runs(snippet, prints, monkeypatch, capsys):
    ended = []
    monkeypatch.setattr(gw.Gateway, "run", lambda app, address: ended.append(app.start("127.0.0.1:0").stop()))
    exec(snippet, {"__name__": "snippet"})
    if prints is None:
        assert ended
    else:
        assert prints in capsys.readouterr().out
