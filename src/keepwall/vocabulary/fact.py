"""Facts: what a source saw. Posture rules read assets, relations and facts, and open no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.vocabulary.json_value import JsonValue

FACT_KINDS: Mapping[str, str] = {
    "accelerator.present": "a GPU of a host: vendor, model, index, driver, readable (who may open "
    "its device: owner, group, everyone)",
    "accelerator.requested": "GPUs that a workload asks for: vendor, count (empty where only the "
    "machine says it), workload, source (kubernetes, compose, terraform)",
    "agent.permission": "what the settings of an agent's client let it do without asking: client, "
    "allow, deny, mode, file",
    "cache.model": "a cache of downloaded models on a host: provider, path, models, bytes, user, "
    "writable (by others)",
    "code.call": "a call in Python or a notebook: function (dotted, imports resolved), arguments "
    "(positional as '0', '1', …, keywords by name; null when not a literal)",
    "code.flow": "text from outside that reaches a call in one function: origin (request, "
    "document, tool, model), sink (function), through (variable)",
    "code.tool": "a function offered to an agent: name, framework, description, capabilities "
    "(shell, code, file, network), loop (bounded or not)",
    "command.line": "how a program is started: program (base name), argv, environment (names and "
    "non-secret values), source (dockerfile, compose, kubernetes, host, script, pipeline)",
    "container.image": "an image reference: reference, tag, digest, floating (latest or no tag)",
    "container.spec": "a container of a workload: image, privileged, host_network, host_pid, "
    "run_as_root (true, false or null), read_only_root, limits, ports, environment, mounts, gpu",
    "dataset.reference": "a data set that code names: provider, name, revision, pinned, function",
    "dependency.declared": "a line of a manifest: ecosystem, name, version, pinned, hashed, "
    "manifest, locked (a lock file fixes the version)",
    "dockerfile.instruction": "an instruction of a Dockerfile: instruction, value, stage",
    "endpoint.answered": "what a loopback address said to a harmless request: url, software, "
    "status, authenticated (false: it answered without credentials), models",
    "endpoint.listening": "a socket that listens: address, port, loopback, program, pid, user",
    "infrastructure.resource": "a resource of infrastructure as code: type, name, attributes (what "
    "is no literal as ${…}), source (terraform, cloudformation, arm, bicep)",
    "mcp.server": "an MCP server that a client starts or calls: name, transport, command, "
    "arguments, url, environment (names), pinned, client",
    "model.file": "a model file: format, size, executes (may run code when loaded), imports, "
    "reason",
    "model.reference": "a model that code or configuration names: provider, name, revision, "
    "pinned, function",
    "notebook.output": "an output stored in a notebook: cell, mime, bytes",
    "notebook.setting": "a setting of a notebook server: name, value",
    "package.installed": "an AI package installed on a host: ecosystem, name, version",
    "package.locked": "an AI package in a lock file, or any that no registry serves: ecosystem, "
    "name, version, hashed, lock, source (empty for a registry, else git+… or an address)",
    "pipeline.step": "a step of a CI workflow: uses, pinned, run, checkout_ref, job, triggers, "
    "runner (labels), environment (that it deploys to), permissions (of its job), artifacts",
    "pipeline.workflow": "a CI workflow: provider, triggers, permissions, runners, gpu (a runner "
    "has one), self_hosted, id_tokens",
    "process.running": "a process of a host that serves or uses AI: program, argv, user, role",
    "project.metadata": "about a project: owners (is there a CODEOWNERS or a maintainer), licence",
    "prompt.text": "an instruction text for a model or agent: role, length, markers",
    "secret.present": "a credential: detector, where (source, output, configuration, environment, "
    "image, history, process), masked",
    "service.used": "AI software or a service in use: name, role (the asset kind), via (import, "
    "call, image, program, environment, dependency)",
    "unit.installed": "a systemd unit that starts AI: unit, program, user, enabled, hardening",
}
"""Every fact kind with what its value holds; a rule that names another kind does not load."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One observation about one asset, at one place.

    `asset` is an asset id; `value` holds the fields that `FACT_KINDS` describes; `line` is from 1,
    or 0 where the source has no lines.
    """

    kind: str
    asset: str
    value: Mapping[str, JsonValue] = field(default_factory=dict)
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Unread:
    """A part of the target that was not read, and why; any of these makes an answer partial."""

    path: str
    reason: str
