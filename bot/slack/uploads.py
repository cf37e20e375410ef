"""Fetching a file that somebody gave the bot: from Slack alone, never too large, and never a log-in page."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

MAX_BYTES = 20 * 1024 * 1024
SLACK_FILES = "files.slack.com"
_TIMEOUT = 30
_CHUNK = 64 * 1024


class Refused(Exception):
    """A file that is not fetched; one sentence that quotes its name and says what to do."""


def fetched(file: dict[str, Any], token: str, api_url: str, folder: Path) -> Path:
    """Fetch a file of a Slack event into a folder. Raises Refused.

    ``api_url`` is the Web API in force: one that is not Slack's own, in tests, serves its files itself.
    """
    name = _safe_name(str(file.get("name") or "upload"))
    url = str(file.get("url_private_download") or "")
    if not _is_allowed(url, api_url):
        raise Refused(f"“{name}” is no file that Slack keeps; drop the export itself here.")
    if int(file.get("size") or 0) > MAX_BYTES:
        raise Refused(_too_large(name))
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
    try:
        answer = pool.request(
            "GET", url, headers={"Authorization": f"Bearer {token}"}, redirect=False, preload_content=False
        )
        try:
            return _kept(answer, name, folder)
        finally:
            answer.close()
    except HTTPError as error:
        raise Refused(f"“{name}” could not be fetched from Slack ({type(error).__name__}); drop it again.") from error


def _kept(answer: urllib3.BaseHTTPResponse, name: str, folder: Path) -> Path:
    if answer.status != 200:
        raise Refused(f"“{name}” could not be fetched from Slack (HTTP {answer.status}); drop it again.")
    if answer.headers.get("content-type", "").startswith("text/html"):
        # Slack answers so, with 200, where the app may not read files.
        raise Refused(f"Slack shows me a log-in page instead of “{name}”: the app needs the scope files:read.")
    path, received = folder / name, 0
    with path.open("wb") as kept:
        for chunk in answer.stream(_CHUNK):
            received += len(chunk)
            if received > MAX_BYTES:
                raise Refused(_too_large(name))
            kept.write(chunk)
    return path


def _is_allowed(url: str, api_url: str) -> bool:
    """Only Slack's file host over TLS gets the token, or the host of a stand-in for Slack."""
    try:
        asked, api = urlsplit(url), urlsplit(api_url)
        if api.hostname is not None and not f".{api.hostname}".endswith(".slack.com"):
            return (asked.scheme, asked.hostname, asked.port) == (api.scheme, api.hostname, api.port)
        return (asked.scheme, asked.hostname, asked.port) == ("https", SLACK_FILES, None)
    except ValueError:
        return False


def _safe_name(name: str) -> str:
    """A file's own name, without folders and odd characters."""
    return re.sub(r"[^\w.,() +-]", "_", name.replace("\\", "/").rsplit("/", 1)[-1])[:120].strip(". ") or "upload"


def _too_large(name: str) -> str:
    return f"“{name}” is over {MAX_BYTES // 1024**2} MB; import it with claudecost import on the machine of the bot."
