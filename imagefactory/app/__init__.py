"""The composition root: every object is made here and handed what it needs; nothing looks anything up."""

from imagefactory.app.factory import Factory, compose

__all__ = ["Factory", "compose"]
