"""The stand-in's Slack Web API on 127.0.0.1: the methods that the bot calls, with Slack's answers and errors."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from bot.playground.workspace import (
    APP_ID,
    APP_TOKEN,
    BOT_ID,
    BOT_TOKEN,
    BOT_USER,
    HANGS,
    TEAM_ID,
    Fault,
    Fields,
    User,
    Workspace,
)
from bot.slack.scopes import SCOPES


class SlackError(Exception):
    """An answer with ``ok: false``."""


class ClosedConnection(HTTPException):
    """The connection ends without an answer."""


def create_web_api(workspace: Workspace) -> Flask:
    """A Flask app with ``/api/<method>`` and the response_url target ``/respond/<user>/<channel>``."""
    app = Flask("playground")

    @app.post("/api/<method>")
    @app.get("/api/<method>")
    def call(method: str) -> Response:
        fields = _fields()
        with workspace.lock:
            workspace.calls.append((method, fields))
        fault = workspace.next_fault(method)
        if fault is not None and not fault.keeps:
            return _broken(fault)
        answer = _answer(workspace, method, fields)
        return _broken(fault) if fault is not None else answer

    @app.post("/upload/<file_id>")
    def upload(file_id: str) -> Response:
        workspace.keep_file(file_id, request.get_data())
        return Response("OK")

    @app.get("/files/<file_id>")
    def download(file_id: str) -> Response:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return Response("<html>Sign in to Slack</html>", content_type="text/html")
        found = workspace.files.get(file_id)
        return Response(found[1], content_type="application/octet-stream") if found else Response("none", status=404)

    @app.post("/respond/<user>/<channel>")
    def respond(user: str, channel: str) -> Response:
        message = request.get_json()
        if message.get("replace_original"):
            workspace.edit(channel, str(request.args.get("ts")), message)
        elif message.get("response_type") == "in_channel":
            workspace.post(channel, message)
        else:
            workspace.whisper({"user": user, "channel": channel, **message})
        return Response("ok")

    return app


def _answer(workspace: Workspace, method: str, fields: Fields) -> Response:
    try:
        tokens = (APP_TOKEN,) if method == "apps.connections.open" else (BOT_TOKEN, *workspace.rotated)
        is_ours = request.headers.get("Authorization") in [f"Bearer {token}" for token in tokens]
        if not is_ours and method != "oauth.v2.access":
            raise SlackError("invalid_auth")
        if method not in _METHODS:
            raise SlackError("unknown_method")
        body: Fields = {"ok": True, **_METHODS[method](workspace, fields)}
    except SlackError as error:
        body = {"ok": False, "error": str(error)}
    return _json(200, body, {"x-oauth-scopes": ",".join(SCOPES)})


def _auth_test(_workspace: Workspace, _fields: Fields) -> Fields:
    return {
        "url": "http://127.0.0.1/",
        "team": "Playground",
        "team_id": TEAM_ID,
        "user": "claudecost",
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
    }


def _post_message(workspace: Workspace, fields: Fields) -> Fields:
    channel = _channel(workspace, fields)
    if not fields.get("text") and not fields.get("blocks"):
        raise SlackError("no_text")
    kept: Fields = {name: fields[name] for name in ("text", "blocks", "metadata") if name in fields}
    message = workspace.post(channel, kept)
    return {"channel": channel, "ts": message["ts"], "message": message}


def _post_ephemeral(workspace: Workspace, fields: Fields) -> Fields:
    channel, user = _channel(workspace, fields), workspace.user_by_id(str(fields.get("user", "")))
    if user is None:
        raise SlackError("user_not_in_channel")
    kept: Fields = {name: fields[name] for name in ("text", "blocks", "thread_ts") if name in fields}
    workspace.whisper({"user": user.id, "channel": channel, "response_type": "ephemeral", **kept})
    return {"message_ts": "0"}


def _update_message(workspace: Workspace, fields: Fields) -> Fields:
    channel = _channel(workspace, fields)
    message = workspace.edit(channel, str(fields.get("ts")), {n: fields[n] for n in _EDITABLE if n in fields})
    if message is None:
        raise SlackError("message_not_found")
    return {"channel": channel, "ts": message["ts"], "text": message.get("text", "")}


_EDITABLE = ("text", "blocks", "metadata")


def _upload_url(workspace: Workspace, fields: Fields) -> Fields:
    file_id = workspace.new_file(str(fields.get("filename", "")))
    return {"upload_url": f"{request.host_url}upload/{file_id}", "file_id": file_id}


def _complete_upload(workspace: Workspace, fields: Fields) -> Fields:
    said = fields.get("files", "[]")
    wanted: list[Fields] = json.loads(said) if isinstance(said, str) else said
    if any(entry["id"] not in workspace.files for entry in wanted):
        raise SlackError("file_not_found")
    if fields.get("channel_id"):
        for entry in wanted:
            workspace.post(str(fields["channel_id"]), {"text": "", "files": [{"id": entry["id"]}]})
    return {"files": [{"id": entry["id"], "title": entry.get("title", "")} for entry in wanted]}


def _open_view(workspace: Workspace, fields: Fields) -> Fields:
    return {"view": workspace.show(fields["view"], str(fields.get("trigger_id")))}


def _update_view(workspace: Workspace, fields: Fields) -> Fields:
    with workspace.lock:
        for view in workspace.views:
            if view["id"] == fields.get("view_id"):
                view.update(fields["view"], hash=f"{view['id']}.{len(workspace.calls)}")
                return {"view": view}
    raise SlackError("not_found")


def _publish_view(workspace: Workspace, fields: Fields) -> Fields:
    workspace.homes[str(fields.get("user_id"))] = fields["view"]
    return {"view": fields["view"]}


def _history(workspace: Workspace, fields: Fields) -> Fields:
    channel = _channel(workspace, fields)
    oldest = Decimal(str(fields.get("oldest") or 0))
    start, limit = int(fields.get("cursor") or 0), int(fields.get("limit") or 100)
    with workspace.lock:
        newest_first = [one for one in reversed(workspace.messages.get(channel, [])) if Decimal(one["ts"]) > oldest]
    end = start + limit
    following = str(end) if end < len(newest_first) else ""
    return {
        "messages": newest_first[start:end],
        "has_more": bool(following),
        "response_metadata": {"next_cursor": following},
    }


def _open(workspace: Workspace, fields: Fields) -> Fields:
    user = workspace.user_by_id(str(fields.get("users", "")))
    if user is None:
        raise SlackError("user_not_found")
    return {"channel": {"id": workspace.direct_channel(user.id)}}


def _lookup_by_email(workspace: Workspace, fields: Fields) -> Fields:
    user = workspace.user_by_email(str(fields.get("email", "")))
    if user is None:
        raise SlackError("users_not_found")
    return {"user": _user(user)}


def _user_info(workspace: Workspace, fields: Fields) -> Fields:
    user = workspace.user_by_id(str(fields.get("user", "")))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": _user(user)}


def _exchange_token(workspace: Workspace, fields: Fields) -> Fields:
    if fields.get("grant_type") != "refresh_token" or not fields.get("refresh_token"):
        raise SlackError("invalid_grant_type")
    with workspace.lock:
        workspace.rotated.append(f"xoxb-rotated-{len(workspace.rotated) + 1}")
        token = workspace.rotated[-1]
    return {"token_type": "bot", "access_token": token, "refresh_token": "xoxe-2", "expires_in": 43_200}


def _open_socket(workspace: Workspace, _fields: Fields) -> Fields:
    if workspace.socket_url is None:
        raise SlackError("not_allowed")
    return {"url": workspace.socket_url}


_METHODS: dict[str, Callable[[Workspace, Fields], Fields]] = {
    "apps.connections.open": _open_socket,
    "auth.test": _auth_test,
    "chat.postEphemeral": _post_ephemeral,
    "chat.postMessage": _post_message,
    "chat.update": _update_message,
    "conversations.history": _history,
    "conversations.open": _open,
    "files.completeUploadExternal": _complete_upload,
    "files.getUploadURLExternal": _upload_url,
    "views.open": _open_view,
    "views.publish": _publish_view,
    "views.update": _update_view,
    "oauth.v2.access": _exchange_token,
    "users.lookupByEmail": _lookup_by_email,
    "users.info": _user_info,
}


def _user(user: User) -> Fields:
    profile = {"email": user.email, "real_name": user.name}
    return {
        "id": user.id,
        "team_id": user.team,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "is_admin": user.is_admin,
        "is_restricted": user.is_guest,
        "name": user.name.split()[0].lower(),
        "real_name": user.name,
        "tz": user.tz,
        "profile": profile,
    }


def _channel(workspace: Workspace, fields: Fields) -> str:
    channel = str(fields.get("channel", ""))
    if not workspace.has_channel(channel):
        raise SlackError("channel_not_found")
    return channel


def _fields() -> Fields:
    """The arguments of a call, however the client sent them; blocks and metadata are JSON inside forms."""
    if request.is_json:
        return dict(request.get_json(silent=True) or {})
    fields: dict[str, Any] = dict(request.values.items())
    return {
        name: json.loads(value) if name in ("blocks", "metadata", "view") else value for name, value in fields.items()
    }


HANG_SECONDS = 3.0


def _broken(fault: Fault) -> Response:
    if fault.status == HANGS:
        time.sleep(HANG_SECONDS)
    if fault.status in (0, HANGS):
        raise ClosedConnection(response=_ClosingResponse())
    if isinstance(fault.body, str):
        return Response(fault.body, status=fault.status, content_type="text/html")
    return _json(fault.status, {} if fault.body is None else fault.body, fault.headers or {})


class _ClosingResponse(Response):
    """Ends the connection where an answer would start."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        environ["werkzeug.socket"].close()
        raise ConnectionAbortedError


def _json(status: int, body: Fields | list[Any], headers: dict[str, str]) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json; charset=utf-8", headers=headers)
