"""Where usage comes from by itself: the Anthropic Admin API, OpenTelemetry over HTTP, and a watched folder."""
