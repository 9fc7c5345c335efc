"""Errors and headers for the tests of ``web``, without any client at hand.

Those of clients are stand-ins with the right names.
"""

import email.message
import io
import urllib.error

STATUSES = (408, 425, 429, 500, 502, 503, 504)


def fake(name, *args, base=Exception, **attributes):
    """An error of a class that has the module and the name of a client's."""
    module, _, cls = name.rpartition(".")
    error = type(cls, (base,), {"__module__": module})(*args)
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    return error


def caused(error, cause):
    """*error*, raised from *cause*."""
    error.__cause__ = cause
    return error


def answered(status, headers=(), method=None):
    """The error of urllib for an answer with *status*."""
    message = email.message.Message()
    for name, value in dict(headers).items():
        message[name] = value
    body = io.BytesIO()
    if method is not None:
        body._method = method  # where http.client's responses keep it
    error = urllib.error.HTTPError("http://x/", status, "", message, body)
    error.close()  # it is a response as well
    return error


def header(value):
    """Headers with that one in them."""
    return {"Retry-After": value}
