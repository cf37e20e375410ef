"""Bringing a picture to Slack, to be shown by an image block."""

from collections.abc import Callable

from slack_sdk import WebClient


def uploader(client: WebClient) -> Callable[[bytes, str], str]:
    """A function that uploads a PNG under a name and returns Slack's id of the file; raises the client's errors.

    The file belongs to no channel: only the messages that show it make it visible.
    """

    def upload(png: bytes, name: str) -> str:
        answer = client.files_upload_v2(file=png, filename=name, title=name)
        return str(answer["files"][0]["id"])

    return upload
