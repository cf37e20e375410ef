"""What a failed call to Slack means for the message: only what is known to be harmless is ever tried again."""

import socket
from enum import Enum
from typing import NamedTuple
from urllib.error import URLError

from slack_sdk.errors import SlackApiError

HARMLESS = frozenset(
    "ratelimited rate_limited message_limit_exceeded team_added_to_org org_login_required accesslimited".split()
)
AMBIGUOUS = frozenset("fatal_error internal_error service_unavailable request_timeout".split())
TARGET = frozenset(
    "channel_not_found not_in_channel is_archived ekm_access_denied no_permission team_access_not_granted "
    "user_not_found users_not_found user_disabled user_not_visible cannot_dm_bot messages_tab_disabled "
    "invalid_user_combination method_not_supported_for_channel_type".split()
)
INSTALLATION = frozenset(
    "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope not_allowed_token_type "
    "access_denied enterprise_is_restricted two_factor_setup_required".split()
)
PAYLOAD = frozenset(
    "msg_blocks_too_long msg_too_long no_text too_many_attachments metadata_too_large "
    "metadata_must_be_sent_from_app markdown_text_conflict".split()
)


LONGEST_RETRY = 24 * 60 * 60
"""Seconds; Slack asks for minutes at the most."""


class Meaning(Enum):
    """What to do about a message whose call failed."""

    RETRY = "Slack has nothing; try again later"
    UNCERTAIN = "Slack may have it; look before anything is sent again"
    TARGET = "this channel or person cannot be reached"
    INSTALLATION = "the app's installation no longer works"
    PAYLOAD = "Slack does not accept this message"
    UNKNOWN = "nobody knows; hold it and tell the admin"


class Failure(NamedTuple):
    """A failed call: what it means, Slack's word for it, and how many seconds Slack asked to wait."""

    meaning: Meaning
    code: str
    retry_after: int | None = None


def classify(error: Exception) -> Failure:
    """What an exception of a Slack client means: unknown if it is not listed, uncertain if there was no answer.

    For an answer that is JSON and no object the client raises whatever Python does.
    """
    if isinstance(error, SlackApiError):
        return _classify_answer(error)
    if isinstance(error, URLError) and isinstance(error.reason, ConnectionRefusedError | socket.gaierror):
        return Failure(Meaning.RETRY, f"connection failed ({error.reason})")
    return Failure(Meaning.UNCERTAIN, f"no answer ({type(error).__name__}: {error})")


def _classify_answer(error: SlackApiError) -> Failure:
    response = error.response
    status = getattr(response, "status_code", 200)
    headers = {name.lower(): value for name, value in (getattr(response, "headers", None) or {}).items()}
    if status == 429:
        after = str(headers.get("retry-after", ""))
        seconds = min(int(after[:9]), LONGEST_RETRY) if after.isascii() and after.isdigit() else None
        return Failure(Meaning.RETRY, "ratelimited", seconds)
    if status >= 500:
        return Failure(Meaning.UNCERTAIN, f"HTTP {status}")
    said = getattr(response, "data", response)
    data = said.get("error") if isinstance(said, dict) else None
    if not isinstance(data, str) or data.startswith("Received a response in a non-JSON format"):
        return Failure(Meaning.UNCERTAIN, f"an answer that is no JSON (HTTP {status})")
    return Failure(_meaning_of(data), data)


def _meaning_of(code: str) -> Meaning:
    known = {
        Meaning.RETRY: HARMLESS,
        Meaning.UNCERTAIN: AMBIGUOUS,
        Meaning.TARGET: TARGET,
        Meaning.INSTALLATION: INSTALLATION,
        Meaning.PAYLOAD: PAYLOAD,
    }
    for meaning, codes in known.items():
        if code in codes:
            return meaning
    if code.startswith("duplicate_") and code.endswith("_not_found"):
        return Meaning.UNCERTAIN
    if code.startswith("restricted_action"):
        return Meaning.TARGET
    if code.startswith(("invalid_blocks", "invalid_metadata_", "invalid_arg")):
        return Meaning.PAYLOAD
    return Meaning.UNKNOWN
