"""Starts the whole service for the tests in Python: PostgreSQL once, and a responder and nginx for each site."""

import re
import shutil

import pytest

from orbital import psql
from service import Service, cluster


def pytest_addoption(parser):
    parser.addoption("--filter", metavar="REGEX", help="run only tests whose path or name matches; _ is a space, too")


def pytest_collection_modifyitems(config, items):
    pattern = config.getoption("--filter")
    if pattern:
        names = {item: f"Tests/{item.nodeid} {item.nodeid.replace('_', ' ')}" for item in items}
        others = [item for item in items if not re.search(pattern, names[item])]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def start_site(tmp_path_factory):
    """A function that starts a site with its own, empty database; settings of the responder are keywords."""
    postgres = tmp_path_factory.mktemp("postgres", numbered=False)
    sites = []

    def start(nginx_files=(), **environment):
        folder = tmp_path_factory.mktemp("site")
        if not sites:
            cluster("start", postgres, "fsync=off", "max_connections=200")
        url, name = cluster("url", postgres), f"site{len(sites)}"
        psql(url, f"CREATE DATABASE {name}")
        sites.append(Service(
            folder, records=0, url=url.replace("/orbital?", f"/{name}?"), nginx_files=nginx_files,
            environment={"CONFIG_ENV": "test", "LOG_LEVEL": "debug", **environment}))
        return sites[-1]

    yield start
    for site in sites:
        site.stop()
    cluster("stop", postgres)
    shutil.rmtree(postgres)


@pytest.fixture(scope="session")
def shared_site(start_site):
    return start_site()


@pytest.fixture
def site(shared_site):
    """The site that most tests share, without records."""
    shared_site.psql("TRUNCATE usage_record RESTART IDENTITY")
    return shared_site
