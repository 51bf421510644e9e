"""A plugin of pytest for Starlette's tests: their clients ask over sockets, and every message is validated."""
import pytest

from cases import covers, expect_there, keep, read
from mounted import Client

# Applications of these cases break the specification: those run on, and the validator must have told it.
FAULTS = read("faults_starlette.txt")


def pytest_collection_modifyitems(config, items):
    keep(config, items, "starlette", lambda item: "test_client_factory" in item.fixturenames)
    expect_there(FAULTS, items)


def pytest_report_collectionfinish(config):
    return config.cases


@pytest.fixture
def test_client_factory(request):
    clients = []
    known = [fault for case, fault in FAULTS.items() if covers(case, request.node)]

    def client_of(*args, **options):
        clients.append(Client(*args, **options, raises_faults=not known))
        return clients[-1]

    yield client_of
    for client in clients:
        client.close()
    faults = [fault for client in clients for fault in client.validator.faults]
    if known:
        assert faults != [] and all(known[0] in fault for fault in faults)
    else:
        assert faults == []
