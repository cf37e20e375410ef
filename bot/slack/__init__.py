"""Everything that speaks with Slack: listeners in, messages and deliveries out."""
