"""A Django project in one module: databases that come and go, a model, views.

Django is configured once per process, by whatever comes first; what is needed here is set where
it is needed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import connections, models
from django.test import override_settings
from django.urls import path

if TYPE_CHECKING:
    from collections.abc import Iterator

if not settings.configured:
    settings.configure(USE_TZ=True)
apps.populate(settings.INSTALLED_APPS)


class Account(models.Model):
    """One row of money."""

    balance = models.IntegerField()

    class Meta:
        app_label = "retried"


@contextlib.contextmanager
def database(alias: str, **config: Any) -> Iterator[str]:
    """Add a database under *alias* for as long as the block runs."""
    defaults = {"default": {}, alias: config}
    before = connections.databases.get(alias)
    _forget(alias)
    connections.databases[alias] = connections.configure_settings(defaults)[alias]
    try:
        yield alias
    finally:
        _forget(alias)
        del connections.databases[alias]
        if before is not None:
            connections.databases[alias] = before


def _forget(alias: str) -> None:
    """Close this thread's connection to *alias*, if it has one."""
    if hasattr(connections._connections, alias):
        connections[alias].close()
        del connections[alias]


@contextlib.contextmanager
def routes(**views: Any) -> Iterator[None]:
    """Serve each of *views* under its name."""
    urls = type("urls", (), {"urlpatterns": [path(name, view) for name, view in views.items()]})
    with override_settings(ROOT_URLCONF=urls, ALLOWED_HOSTS=["testserver"]):
        yield
