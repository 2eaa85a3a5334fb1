"""What people and programs ask for: one module a step, each a plain function over the house."""

from medmm.verbs.house import House, Networks, opened_house
from medmm.verbs.verb import Asked, By

__all__ = ["Asked", "By", "House", "Networks", "opened_house"]
