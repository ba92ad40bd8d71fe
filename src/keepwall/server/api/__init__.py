"""The REST API: one route table, from which both the routes and the OpenAPI document come."""
