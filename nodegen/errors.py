"""One exception class for each kind of fault that a user can mend.

The message of each is a single sentence: what was given, what is allowed, what to do. The command
line prints it as the last line of stderr and exits with code 2.
"""


class NodegenError(Exception):
    """A fault in what nodegen was given; the parent of all the others."""


class StackError(NodegenError):
    """The stack of radiographs is missing, unreadable or of a kind that cannot be taken."""


class BoxesError(NodegenError):
    """``nodules.json`` is missing, malformed, or does not fit its stack."""


class ModelError(NodegenError):
    """The cascades are missing, truncated or tampered with."""


class LibraryError(NodegenError):
    """The nodule library is missing, truncated or tampered with."""


class RecipeError(NodegenError):
    """A recipe is malformed, or was made for other inputs."""


class OutputError(NodegenError):
    """The output cannot be written."""


class SettingError(NodegenError):
    """An option's value is not one of those allowed."""


class TrainingError(NodegenError):
    """A cascade cannot be trained from what was given."""


class UtilityError(NodegenError):
    """What a detector is to learn from, or to be tested on, does not do for it."""


class EvaluationError(NodegenError):
    """What nodules are to be held against is missing, malformed, or too little."""
