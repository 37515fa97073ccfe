"""Jinja2 over the templates that ship with testbedctl."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from testbedctl.data import data_dir
from testbedctl.errors import InvalidFile, Place

if TYPE_CHECKING:
    from jinja2 import Environment


def render(name: str, /, **values: object) -> str:
    """The text of a template of ``vnx_templates`` with values filled in.

    Values are escaped in XML templates (``*.xml.j2``); in others the template quotes them itself, with
    ``tojson``. Raises ``InvalidFile`` if the template is missing or broken, or uses a value that was not
    given.
    """
    from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

    try:
        return _environment().get_template(name).render(values)
    except TemplateNotFound as error:
        raise InvalidFile(
            f"there is no template {error.name!r}",
            hint=f"templates: {', '.join(_environment().list_templates())}",
        ) from error
    except TemplateSyntaxError as error:
        place = Place(error.filename or name, error.lineno, 1, error.message or "syntax error")
        raise InvalidFile(f"template {name}: {error.message}", places=[place]) from error
    except TemplateError as error:
        raise InvalidFile(f"template {name}: {error.message}") from error


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(data_dir("vnx_templates")),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("xml", "xml.j2"), default=False),
        keep_trailing_newline=True,
    )
