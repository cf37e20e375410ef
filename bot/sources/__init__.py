"""Where usage comes from by itself: the Anthropic Admin API, and OpenTelemetry over HTTP."""
