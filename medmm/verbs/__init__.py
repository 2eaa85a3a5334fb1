"""What people and programs ask for: a module for each step, of functions over the house."""

from medmm.verbs.house import House, Networks, opened_house
from medmm.verbs.verb import Asked, By

__all__ = ["Asked", "By", "House", "Networks", "opened_house"]
