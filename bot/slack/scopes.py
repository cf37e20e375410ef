"""The bot scopes that the app asks for, and what each is for. manifest.yml asks for the same ones."""

SCOPES = {
    "commands": "the slash command",
    "app_mentions:read": "answering a mention",
    "chat:write": "posting digests and alerts",
    "im:write": "opening the direct message for an alert",
    "users:read": "looking up who asks",
    "users:read.email": "finding the Slack user behind an e-mail address in an export, and the other way round",
    "files:read": "importing an export that an admin drops into the bot's messages",
    "files:write": "uploading a digest's picture",
    "channels:history": "making sure after a crash that a digest is not posted twice",
    "groups:history": "the same in private channels",
    "im:history": "the same for alerts",
}
