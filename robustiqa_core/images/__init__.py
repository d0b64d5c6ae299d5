"""Photos: read from files, decoded, bundled, made worse step by step."""
