"""The control plane's web side: the REST API and the console, over one store and one live feed."""
