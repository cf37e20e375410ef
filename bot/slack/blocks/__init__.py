"""Messages as pure functions: facts in, Block Kit and its fallback text out."""
