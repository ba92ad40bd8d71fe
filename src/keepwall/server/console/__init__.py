"""The web console: pages rendered on the server, made live by htmx, under a strict CSP."""
