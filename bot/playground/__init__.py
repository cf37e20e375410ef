"""A local stand-in for a Slack workspace, and the story that the demo tells in it."""
