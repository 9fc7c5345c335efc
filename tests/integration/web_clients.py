"""Clients on the wire, to be failed: each asks once, in its own way, for what the others ask for.

A client is a function of a URL, a method, a proxy, and a file with the certificate authority to
trust.  It reads the whole response, raises for a bad status, and returns the response.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ssl
import urllib.request
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

PATIENCE = 0.3  # seconds a client waits; a healthy response comes in thousandths of that


def trusting(ca):
    """The TLS of a client that trusts the authority in the file *ca*, or what others trust."""
    return ssl.create_default_context(cafile=ca)


def with_urllib(url, method="GET", proxy=None, ca=None):
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=trusting(ca))
    )
    with opener.open(urllib.request.Request(url, method=method), timeout=PATIENCE) as response:
        response.read()
        return response


def with_http_client(url, method="GET", proxy=None, ca=None):
    host = urlsplit(proxy or url).netloc
    if urlsplit(url).scheme == "https":
        connection = http.client.HTTPSConnection(host, timeout=PATIENCE, context=trusting(ca))
    else:
        connection = http.client.HTTPConnection(host, timeout=PATIENCE)
    if proxy:
        connection.set_tunnel(urlsplit(url).netloc)
    with contextlib.closing(connection):
        path = urlsplit(url)._replace(scheme="", netloc="").geturl()
        connection.request(method, path or "/")
        with connection.getresponse() as response:
            response.read()
            return response


def with_requests(url, method="GET", proxy=None, ca=None):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = ca or True
        options = {"proxies": {"http": proxy, "https": proxy} if proxy else {}, "stream": True}
        with session.request(method, url, timeout=PATIENCE, **options) as response:
            response.raise_for_status()
            response.content  # noqa: B018 - it reads
            return response


def with_urllib3(url, method="GET", proxy=None, ca=None):
    # It has retries of its own; with none left, a status in the list becomes an error.
    retries = urllib3.Retry(0, status_forcelist=range(400, 600), allowed_methods=None)
    return with_urllib3_without_retries(url, method, proxy, ca, retries)


def with_urllib3_without_retries(url, method="GET", proxy=None, ca=None, retries=False):
    make = {"ca_certs": ca} if ca else {}
    pool = urllib3.ProxyManager(proxy, **make) if proxy else urllib3.PoolManager(**make)
    options = {"timeout": PATIENCE, "retries": retries, "preload_content": False}
    with pool, pool.request(method, url, **options) as response:
        response.read()
        return response


def with_httpx(url, method="GET", proxy=None, ca=None, package=httpx):
    options = {"timeout": PATIENCE, "trust_env": False, "proxy": proxy, "verify": trusting(ca)}
    with package.Client(**options) as client:
        response = client.request(method, url)
        response.raise_for_status()
        return response


def with_httpx_async(url, method="GET", proxy=None, ca=None, package=httpx):
    options = {"timeout": PATIENCE, "trust_env": False, "proxy": proxy, "verify": trusting(ca)}

    async def fetch():
        async with package.AsyncClient(**options) as client:
            response = await client.request(method, url)
            response.raise_for_status()
            return response

    return asyncio.run(fetch())


def with_aiohttp(
    url, method="GET", proxy=None, ca=None, resolver=aiohttp.ThreadedResolver, **options
):
    async def fetch():
        timeout = aiohttp.ClientTimeout(sock_connect=PATIENCE, sock_read=PATIENCE)
        connector = aiohttp.TCPConnector(resolver=resolver(**options), ssl=trusting(ca))
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as session,
            session.request(method, url, proxy=proxy) as response,
        ):
            await response.read()
            response.raise_for_status()
            return response

    return asyncio.run(fetch())


CLIENTS = {
    "urllib": with_urllib,
    "http.client": with_http_client,
    "requests": with_requests,
    "urllib3": with_urllib3,
    "urllib3 without retries": with_urllib3_without_retries,
    "httpx": with_httpx,
    "httpx async": with_httpx_async,
    "httpx2": partial(with_httpx, package=httpx2),
    "httpx2 async": partial(with_httpx_async, package=httpx2),
    "aiohttp": with_aiohttp,
}


def clients(*, but=frozenset()):
    """Run a test with every client, except those it does not apply to."""
    return pytest.mark.parametrize("client", [name for name in CLIENTS if name not in but])


def failure(client, url, **kwargs):
    """The error that *client* raises when it asks for *url*."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is the client's
        CLIENTS[client](url, **kwargs)
    closing = getattr(caught.value, "close", None)  # urllib's is a response as well
    if closing is not None:
        closing()
    return caught.value
