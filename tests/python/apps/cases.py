"""Which of the test cases of others run, and what is known of those."""
import pathlib


def read(name):
    """What a file says of cases: a line that says it, then one line for each, which is indented."""
    said, cases = "", {}
    for line in (pathlib.Path(__file__).parent / name).read_text().splitlines():
        if line.startswith("  "):
            cases[line[2:]] = said
        else:
            said = line
    return cases


def covers(case, item):
    """Whether a case is this item, or a file or test with several."""
    return item.nodeid == case or item.nodeid.startswith((case + "::", case + "["))


def expect_there(cases, items):
    """A list must not name what is not there, in the files that are."""
    files = {item.nodeid.partition("::")[0] for item in items}
    gone = [case for case in cases if case.partition("::")[0] in files and not any(covers(case, item) for item in items)]
    assert gone == [], gone


def keep(config, items, name, has_client):
    """Deselects what has no client, and what `deselected_NAME.txt` lists."""
    cases = read("deselected_%s.txt" % name)
    with_client = [item for item in items if has_client(item)]
    expect_there(cases, with_client)
    kept = [item for item in with_client if not any(covers(case, item) for case in cases)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    config.cases = "%s: %d cases over sockets, %d deselected by name, %d that need no client" % (name, len(kept), len(with_client) - len(kept), len(items) - len(with_client))
    items[:] = kept
