"""HTML and SVG, written as nested calls. What is escaped, the standard library decides."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

Child = Element | str | None


def tag(name: str, /, *children: Child, **attributes: str | float) -> Element:
    """Make an element; a child None is left out.

    A trailing underscore of an attribute's name is dropped (`class_`), others are hyphens.
    """
    names = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    element = Element(name, {key: attribute_text(value) for key, value in names.items()})
    append(element, *children)
    return element


def append(element: Element, *children: Child) -> None:
    """Put children, text among them, at the end of an element."""
    for child in children:
        if isinstance(child, str):
            append_text(element, child)
        elif child is not None:
            element.append(child)


def append_text(element: Element, text: str) -> None:
    """Put text behind what an element already holds."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def attribute_text(value: str | float) -> str:
    """Return an attribute's value; numbers with two decimals at most, to keep pages small."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def document(root: Element) -> str:
    """Return a whole HTML document."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"
