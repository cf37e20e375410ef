"""claudecost: what a team spends on Claude Code, said in Slack."""
