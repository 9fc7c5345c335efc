"""Rows for those who come from retries of HTTP clients: urllib3, aiohttp, httpx and botocore."""

from __future__ import annotations

from .http_playing import CUT, Answer, HttpLibrary, HttpRow, HttpTable
from .rows import Absent

OURS = """
import random
from retrying_elegant import Policy, backoff, clients, retry, web
"""

BUSY = Answer(503)
WELL = Answer(200)
LATER = Answer(503, {"Retry-After": "7"})
MUCH_LATER = Answer(503, {"Retry-After": "30000"})
RECOVERS = (BUSY, BUSY, WELL)

NOT_RAISED = "an error", 503

URLLIB3 = HttpLibrary(
    name="urllib3 and requests",
    modules=("requests",),
    imports=OURS
    + """
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
""",
    templates=(
        """
        session = requests.Session()
        session.mount("http://", HTTPAdapter(max_retries={}))
        response = session.request(method, url)
        """,
        """
        session = requests.Session()
        session.mount("http://", clients.requests({}))
        response = session.request(method, url)
        """,
    ),
    tables=(
        HttpTable(
            "`max_retries` of requests, and urllib3's `Retry`",
            (
                HttpRow(
                    "3",
                    "Policy(4, on=web.transient, wait=0)",
                    "3 retries are 4 attempts.",
                    (CUT,),
                ),
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "Not the same: there, a status is only retried if it is in "
                    "`status_forcelist`, or if the response has a `Retry-After`.",
                    differ={"sent": (1, 4)},
                ),
                HttpRow(
                    "Retry(3, status_forcelist=[500, 503])",
                    "Policy(4, on=web.Transient([500, 503]), wait=0)",
                    "Without statuses: 408, 425, 429, 500, 502, 503 and 504.",
                    RECOVERS,
                ),
                HttpRow(
                    "Retry(4, status_forcelist=[503], backoff_factor=0.5)",
                    "Policy(5, on=web.Transient([503]), wait=(0, 1, 2, 4))",
                    "There, the first retry follows immediately, and waits have no jitter. Better "
                    "with the default `wait`.",
                    (BUSY, BUSY, BUSY, BUSY, WELL),
                ),
                HttpRow(
                    "Retry(4, status_forcelist=[503], backoff_factor=0.5, backoff_max=1.5)",
                    "Policy(5, on=web.Transient([503]), wait=(0, 1, 1.5))",
                    script=(BUSY, BUSY, BUSY, BUSY, WELL),
                ),
                HttpRow(
                    "Retry(3, status_forcelist=[503], backoff_factor=1, backoff_jitter=0.5)",
                    "Policy(4, on=web.Transient([503]), wait=lambda a: 0 if a.number == 1 else "
                    "backoff.exponential(1, jitter=0)(a) + random.random() * 0.5)",
                    "There, jitter is added to the wait. Here it is a share of it: "
                    "`backoff.exponential(1)`.",
                    (BUSY, BUSY, BUSY, WELL),
                ),
                HttpRow(
                    "Retry(1, status_forcelist=[503])",
                    "Policy(2, on=web.Transient([503]), wait=0)",
                    "Not the same: in the end, a `RetryError` without the response is raised "
                    "there. Here the last response is returned, as without retries; call its "
                    "`raise_for_status()`.",
                    differ={"ended": NOT_RAISED},
                ),
                HttpRow(
                    "Retry(1, status_forcelist=[503], raise_on_status=False)",
                    "Policy(2, on=web.Transient([503]), wait=0)",
                ),
            ),
        ),
        HttpTable(
            "`Retry-After`",
            (
                HttpRow(
                    "Retry(3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "With the default `wait`, the seconds are added to it, so that clients do not "
                    "all return in the same second.",
                    (LATER, WELL),
                ),
                HttpRow(
                    "Retry(3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "Not the same: for `Retry-After: 30000` the call sleeps there, six hours, or "
                    "eight before urllib3 2.6.3. Here a policy gives up if a server asks for more "
                    "than `max_retry_after` of `web.Transient`, 120 s.",
                    (MUCH_LATER, WELL),
                    differ={"sent": (2, 1), "waits": ([21600], []), "ended": (200, 503)},
                ),
                HttpRow(
                    "Retry(3, retry_after_max=120)",
                    "Policy(4, on=web.transient, wait=0)",
                    "Not the same: there, the retry comes after 120 s, sooner than the server "
                    "asked.",
                    (MUCH_LATER, WELL),
                    differ={"sent": (2, 1), "waits": ([120], []), "ended": (200, 503)},
                ),
                HttpRow(
                    "Retry(3, status_forcelist=[503], respect_retry_after_header=False)",
                    "Policy(4, on=lambda error: bool(web.transient(error)), wait=0)",
                    script=(LATER, WELL),
                ),
            ),
        ),
        HttpTable(
            "Methods",
            (
                HttpRow(
                    "Retry(3, status_forcelist=[503])",
                    "Policy(4, on=web.transient, wait=0)",
                    "A POST: neither sends it twice. Here, one that was certainly not sent is "
                    "repeated, and one with an `Idempotency-Key`.",
                    RECOVERS,
                    "POST",
                ),
                HttpRow(
                    "Retry(3, status_forcelist=[503], allowed_methods=None)",
                    "Policy(4, on=web.transient, wait=0), idempotent=True",
                    "A POST.",
                    RECOVERS,
                    "POST",
                ),
                HttpRow(
                    'Retry(3, status_forcelist=[503], allowed_methods=["GET", "POST"])',
                    'Policy(4, on=web.transient, wait=0), idempotent=["GET", "POST"]',
                    "A POST.",
                    RECOVERS,
                    "POST",
                ),
                HttpRow(
                    "Retry(connect=3, read=0)",
                    "Policy(4, on=web.unsent, wait=0)",
                    "Only what was certainly not sent. `web.unsent` also knows the errors of "
                    "other clients.",
                    (CUT,),
                ),
                Absent(
                    "`connect`, `read`, `status`, `other`",
                    "There is one limit. For one per kind of error, see [below]"
                    "(#keep-state-during-one-call).",
                ),
                Absent(
                    "`redirect`, `raise_on_redirect`, `remove_headers_on_redirect`",
                    "Redirects remain those of the client; they are not retries.",
                ),
                Absent(
                    "`retries.history`, `increment`, `is_exhausted`, `new`",
                    "`given_up(response)` returns the record.",
                ),
            ),
        ),
    ),
)

AIOHTTP = HttpLibrary(
    name="aiohttp-retry",
    modules=("aiohttp", "aiohttp_retry"),
    imports=OURS
    + """
import aiohttp
from aiohttp_retry import (
    ExponentialRetry, FibonacciRetry, JitterRetry, ListRetry, RandomRetry, RetryClient
)
""",
    templates=(
        """
        async with RetryClient(retry_options={}) as client:
            async with client.request(method, url) as response:
                pass
        """,
        """
        async with aiohttp.ClientSession(middlewares=[clients.aiohttp({})]) as client:
            async with client.request(method, url) as response:
                pass
        """,
    ),
    tables=(
        HttpTable(
            "`retry_options`",
            (
                HttpRow(
                    "ExponentialRetry(attempts=3)",
                    "Policy(3, on=web.transient, wait=backoff.exponential(0.2, jitter=0))",
                    "The defaults there. Better with the default `wait`.",
                ),
                HttpRow(
                    "ExponentialRetry(attempts=4, start_timeout=1, factor=3, max_timeout=10)",
                    "Policy(4, on=web.transient, wait=backoff.exponential(3, 3, cap=10, jitter=0))",
                    "There, the first wait is `start_timeout * factor`.",
                ),
                HttpRow(
                    "JitterRetry(attempts=4, random_interval_size=2)",
                    "Policy(4, on=web.transient, wait=lambda a: backoff.exponential(0.2, jitter=0)"
                    "(a) + random.uniform(0, 2) ** 2)",
                    "Better: `backoff.exponential()`.",
                ),
                HttpRow(
                    "RandomRetry(attempts=3, min_timeout=1, max_timeout=3, "
                    "random_func=lambda: random.random())",
                    "Policy(3, on=web.transient, wait=lambda a: random.uniform(1, 3))",
                ),
                HttpRow(
                    "ListRetry([1, 5, 30])",
                    "Policy(3, on=web.transient, wait=(5, 30))",
                    "There, the first of the list is not used.",
                ),
                HttpRow(
                    "FibonacciRetry(attempts=4, max_timeout=30)",
                    "Policy(4, on=web.transient, wait=(2, 3, 5))",
                    "There, all requests share one sequence, which only grows.",
                ),
                HttpRow(
                    "ExponentialRetry(attempts=3, statuses={404}, retry_all_server_errors=False)",
                    "Policy(3, on=web.Transient([404]), wait=backoff.exponential(0.2, jitter=0))",
                    script=(Answer(404),),
                ),
                Absent(
                    "`exceptions={aiohttp.ClientError}`",
                    "`on=web.transient` knows which exceptions are transient. There, none is "
                    "retried unless you name it.",
                ),
            ),
        ),
        HttpTable(
            "What is retried",
            (
                HttpRow(
                    "ExponentialRetry(attempts=2, start_timeout=0)",
                    "Policy(2, on=web.transient, wait=0)",
                    "Not the same: a POST that was answered with 503 is sent again there. Here "
                    "it is not, unless you say `idempotent=True`.",
                    method="POST",
                    differ={"sent": (2, 1)},
                ),
                HttpRow(
                    "ExponentialRetry(attempts=2, start_timeout=0)",
                    "Policy(2, on=web.transient, wait=0), idempotent=True",
                    "A POST.",
                    method="POST",
                ),
                HttpRow(
                    'ExponentialRetry(attempts=2, start_timeout=0, methods={"GET"})',
                    'Policy(2, on=web.transient, wait=0), idempotent={"GET"}',
                    "A POST.",
                    method="POST",
                ),
                HttpRow(
                    "ExponentialRetry(attempts=2, start_timeout=0)",
                    "Policy(2, on=web.transient, wait=0)",
                    "Not the same: there, a `Retry-After` is ignored.",
                    (LATER, WELL),
                    differ={"waits": ([], [7])},
                ),
                HttpRow(
                    "ExponentialRetry(attempts=2, start_timeout=0)",
                    "Policy(2, on=web.transient, wait=0)",
                    "Not the same: there, 429 is only retried if you list it in `statuses`.",
                    (Answer(429), WELL),
                    differ={"sent": (1, 2), "ended": (429, 200)},
                ),
                Absent(
                    "`evaluate_response_callback`",
                    "A middleware does not read bodies. Retry the function that reads it, with "
                    "`until` or `raise TryAgain`.",
                ),
                Absent(
                    "`RetryClient.requests(params_list=...)`",
                    "Other parameters for each attempt: write the loop, and use `attempt.number`.",
                ),
            ),
        ),
    ),
)

HTTPX = HttpLibrary(
    name="httpx-retries",
    modules=("httpx", "httpx_retries", "trio"),
    imports=OURS
    + """
import httpx, trio
from httpx_retries import Retry, RetryTransport
""",
    templates=(
        """
        with httpx.Client(transport=RetryTransport(retry={})) as client:
            response = client.request(method, url)
        """,
        """
        with clients.httpx(httpx.Client(), {}) as client:
            response = client.request(method, url)
        """,
    ),
    tables=(
        HttpTable(
            "`retry`",
            (
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "3 retries are 4 attempts. There, `backoff_factor` is 0 by default: no waits.",
                    (CUT,),
                ),
                HttpRow(
                    "Retry(total=3, backoff_factor=0.5)",
                    "Policy(4, on=web.transient, wait=backoff.exponential(1))",
                    "Full jitter in both.",
                ),
                HttpRow(
                    "Retry(total=3, backoff_factor=0.5, backoff_jitter=0, max_backoff_wait=1.5)",
                    "Policy(4, on=web.transient, wait=backoff.exponential(1, cap=1.5, jitter=0))",
                ),
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "Not the same: there, 500 is not retried.",
                    (Answer(500),),
                    differ={"sent": (1, 4)},
                ),
                HttpRow(
                    "Retry(total=3, status_forcelist=[500])",
                    "Policy(4, on=web.Transient([500]), wait=0)",
                    script=(Answer(500),),
                ),
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "For a short `Retry-After`, both wait as long as the server asks.",
                    (LATER, WELL),
                ),
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "Not the same: for `Retry-After: 30000`, the retry comes after "
                    "`max_backoff_wait` there, sooner than the server asked. Here the policy "
                    "gives up.",
                    (MUCH_LATER, WELL),
                    differ={"sent": (2, 1), "waits": ([120], []), "ended": (200, 503)},
                ),
                HttpRow(
                    "Retry(total=3, respect_retry_after_header=False)",
                    "Policy(4, on=lambda error: bool(web.transient(error)), wait=0)",
                    script=(LATER, WELL),
                ),
                HttpRow(
                    "Retry(total=3)",
                    "Policy(4, on=web.transient, wait=0)",
                    "A POST: neither sends it twice.",
                    RECOVERS,
                    "POST",
                ),
                HttpRow(
                    'Retry(total=3, allowed_methods=["POST"])',
                    "Policy(4, on=web.transient, wait=0), idempotent=True",
                    "A POST.",
                    RECOVERS,
                    "POST",
                ),
                HttpRow(
                    "Retry(total=3, retry_on_exceptions=[httpx.ConnectError])",
                    "Policy(4, on=httpx.ConnectError, wait=0)",
                    script=(CUT,),
                ),
                HttpRow(
                    "Retry(3, backoff_factor=2, backoff_jitter=0, total_timeout=9)",
                    "Policy(4, on=web.transient, wait=backoff.exponential(4, jitter=0), timeout=9)",
                    "Not the same: there, the last wait is cut to what is left. Here `timeout` "
                    "includes the attempts, and a wait that would end too late is not begun.",
                    differ={"sent": (3, 2), "waits": ([4, 5], [4])},
                ),
                Absent(
                    "`validate_response`",
                    "Retry the function that looks at the response, with `until` or "
                    "`raise TryAgain`.",
                ),
                Absent(
                    "`RetryTransport(transport=...)`",
                    "`clients.httpx` takes the client, with whatever transport it has.",
                ),
            ),
        ),
    ),
)

BOTOCORE = HttpLibrary(
    name="botocore and boto3",
    modules=("boto3",),
    imports=OURS
    + """
import boto3
from botocore.config import Config
from botocore.retries.standard import ExponentialBackoff

# It keeps the function that draws numbers from its import on; here it is looked up at each call.
kept = ExponentialBackoff.__init__.__defaults__
ExponentialBackoff.__init__.__defaults__ = tuple(
    (lambda: random.random()) if callable(each) else each for each in kept
)

def client(**retries):
    return boto3.client(
        "sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="id",
        aws_secret_access_key="key", config=Config(retries=retries)
    )
""",
    templates=(
        """
        response = client({}).list_queues()["ResponseMetadata"]["HTTPStatusCode"]
        """,
        """
        bare = client(total_max_attempts=1)
        response = retry({})(bare.list_queues)()["ResponseMetadata"]["HTTPStatusCode"]
        """,
    ),
    tables=(
        HttpTable(
            "`Config(retries=...)`",
            (
                HttpRow(
                    'mode="standard", total_max_attempts=3',
                    "Policy(3, on=web.transient, wait=backoff.exponential(0.05))",
                    "Full jitter in both. The waits there depend on the service: these are those "
                    "of SQS.",
                    (CUT,),
                ),
                HttpRow(
                    'mode="standard", total_max_attempts=5',
                    "Policy(5, on=web.transient, wait=backoff.exponential(0.05))",
                ),
                HttpRow(
                    'mode="legacy", total_max_attempts=4',
                    "Policy(4, on=web.transient, wait=backoff.exponential(1))",
                ),
                HttpRow(
                    'mode="standard", max_attempts=2',
                    "Policy(3, on=web.transient, wait=backoff.exponential(0.05))",
                    "In `Config`, `max_attempts` counts retries.",
                ),
                HttpRow(
                    "total_max_attempts=1",
                    "Policy(1)",
                    "How to turn the client's retries off.",
                ),
                HttpRow(
                    'mode="adaptive", total_max_attempts=3',
                    "Policy(3, on=web.transient, wait=backoff.exponential(0.05))",
                    "`adaptive` also slows the client down when it is throttled. Here, a "
                    "`RetryBudget` limits the retries.",
                ),
            ),
        ),
    ),
)

LIBRARIES = (URLLIB3, AIOHTTP, HTTPX, BOTOCORE)
