"""What the administrator adds to templates for a target: target_content.xml.

Its root `template_includes` has `include` elements with packages and repositories in the syntax of TDL.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from imagefactory.model import tdl
from imagefactory.model.reading import Node, Problems
from imagefactory.model.template import Repository, Template
from imagefactory.model.xml import parse_xml

CONDITIONS = ("target", "os", "version", "arch")
MESSAGE = "target_content.xml cannot be used"


@dataclass(frozen=True, slots=True)
class _Include:
    """Content for whatever fits `conditions`: values of the first of CONDITIONS, none for everything."""

    conditions: tuple[str, ...]
    packages: tuple[str, ...]
    repositories: tuple[Repository, ...]


def merge_target_content(template: Template, content: bytes, target: str) -> Template:
    """Returns the template with the additions of the most specific `include` that fits; of several equals the first.

    An `include` may say `target`, then `os`, then `version`, then `arch`, each compared with the template's own
    spelling. A package that the template has already moves to the end; a repository replaces the one of its name.
    `source` stays what the user gave. Raises InvalidInput with all that is wrong with `content`.
    """
    includes = _parse(content)
    facts = (target, template.os.name, template.os.version, template.os.arch.value)
    fitting = [include for include in includes if include.conditions == facts[: len(include.conditions)]]
    if not fitting:
        return template
    return _merged(template, max(fitting, key=lambda include: len(include.conditions)))


def _merged(template: Template, include: _Include) -> Template:
    kept = tuple(package for package in template.packages if package not in include.packages)
    named = {repository.name: repository for repository in (*template.repositories, *include.repositories)}
    return replace(template, packages=kept + include.packages, repositories=tuple(named.values()))


def _parse(content: bytes) -> list[_Include]:
    problems = Problems()
    root = Node(parse_xml(content, what="target content"), problems)
    if root.name != "template_includes":
        root.problem("the root element of target_content.xml is <template_includes>")
    includes = [_include(node) for node in root.all("include")]
    root.end()
    problems.check(MESSAGE)
    return includes


def _include(node: Node) -> _Include:
    given = [node.attribute(name) for name in CONDITIONS]
    conditions = tuple(text.value for text in given if text is not None)
    if None in given[: len(conditions)]:
        node.problem("never fits anything: os is looked at only beside target, version beside os, arch beside version")
    return _Include(conditions, tuple(dict.fromkeys(tdl.packages(node))), tdl.repositories(node))
