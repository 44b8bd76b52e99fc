"""Where the pages of runs find their templates."""

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2


def environment() -> "jinja2.Environment":
    """Templates of this folder by their names; pages of other rooms may import from them."""
    # Needed where a page is written, and only there.
    import jinja2

    here = resources.files("arrears.bench")
    return jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(lambda name: (here / name).read_text(encoding="utf-8")),
    )
