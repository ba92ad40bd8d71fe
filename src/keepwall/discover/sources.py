"""Every source of the tree scan; a new kind of file is one more line here."""

from __future__ import annotations

from keepwall.discover.agent_files import AGENT_FILES
from keepwall.discover.bicep import BICEP
from keepwall.discover.chart_images import CHART_IMAGES
from keepwall.discover.cloudformation import CLOUDFORMATION
from keepwall.discover.datasets import DATASETS
from keepwall.discover.dockerfiles import DOCKERFILES
from keepwall.discover.endpoints import ENDPOINTS
from keepwall.discover.fetched import FETCHED
from keepwall.discover.gitlab_ci import GITLAB_CI, OTHER_PIPELINES
from keepwall.discover.helm import HELM_CHARTS
from keepwall.discover.javascript_code import JAVASCRIPT_CODE
from keepwall.discover.lock_files import LOCK_FILES
from keepwall.discover.manifests import MANIFESTS
from keepwall.discover.mcp_clients import MCP_CLIENTS
from keepwall.discover.model_texts import MODEL_TEXTS
from keepwall.discover.notebook_settings import NOTEBOOK_SETTINGS
from keepwall.discover.notebooks import NOTEBOOKS
from keepwall.discover.prompts import PROMPTS
from keepwall.discover.python_code import PYTHON_CODE
from keepwall.discover.secret_facts import SECRETS
from keepwall.discover.settings_files import SETTINGS_FILES
from keepwall.discover.shell_scripts import SHELL_SCRIPTS
from keepwall.discover.skills import SKILLS
from keepwall.discover.source import Source
from keepwall.discover.terraform import TERRAFORM
from keepwall.discover.training_launches import TRAINING_LAUNCHES
from keepwall.discover.yaml_files import YAML_FILES

SOURCES: tuple[Source, ...] = (
    PYTHON_CODE,
    JAVASCRIPT_CODE,
    NOTEBOOKS,
    NOTEBOOK_SETTINGS,
    MANIFESTS,
    LOCK_FILES,
    DOCKERFILES,
    YAML_FILES,
    HELM_CHARTS,
    CHART_IMAGES,
    TERRAFORM,
    CLOUDFORMATION,
    BICEP,
    GITLAB_CI,
    OTHER_PIPELINES,
    MCP_CLIENTS,
    SETTINGS_FILES,
    ENDPOINTS,
    AGENT_FILES,
    TRAINING_LAUNCHES,
    SHELL_SCRIPTS,
    PROMPTS,
    SKILLS,
    DATASETS,
    FETCHED,
    MODEL_TEXTS,
    SECRETS,
)
