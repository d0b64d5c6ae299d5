"""Jobs of pages: start, follow, settle, results that are kept, estimates."""
