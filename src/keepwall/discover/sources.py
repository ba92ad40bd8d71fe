"""Every source of the tree scan; a new kind of file is one more line here."""

from __future__ import annotations

from keepwall.discover.dockerfiles import DOCKERFILES
from keepwall.discover.manifests import MANIFESTS
from keepwall.discover.mcp_clients import MCP_CLIENTS
from keepwall.discover.notebook_settings import NOTEBOOK_SETTINGS
from keepwall.discover.notebooks import NOTEBOOKS
from keepwall.discover.prompts import PROMPTS
from keepwall.discover.python_code import PYTHON_CODE
from keepwall.discover.secret_facts import SECRETS
from keepwall.discover.shell_scripts import SHELL_SCRIPTS
from keepwall.discover.source import Source
from keepwall.discover.yaml_files import YAML_FILES

SOURCES: tuple[Source, ...] = (
    PYTHON_CODE,
    NOTEBOOKS,
    NOTEBOOK_SETTINGS,
    MANIFESTS,
    DOCKERFILES,
    YAML_FILES,
    MCP_CLIENTS,
    SHELL_SCRIPTS,
    PROMPTS,
    SECRETS,
)
