"""Model files, recognised and judged by their content; nothing in them is ever loaded."""
