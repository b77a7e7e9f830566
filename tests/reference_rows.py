"""What the twins of traits share: values that may be missing, and orders of rows."""

MISSING_LAST = (1, "")


def is_there(value):
    return value is not None


def text_place(value):
    return (0, value.encode()) if is_there(value) else MISSING_LAST


def highest_first(value):
    return (0, -value) if is_there(value) else (1, 0)


def first(values):
    return next((value for value in values if is_there(value)), None)
