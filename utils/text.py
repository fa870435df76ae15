"""Text that any writer and any drawing takes."""


def plain(text: object) -> str:
    """One line of valid Unicode: what is none, such as a file name of another encoding, is escaped.

    OpenCV ends the process when it draws, or opens a file by, text that is no valid Unicode.
    """
    return ' '.join(str(text).splitlines()).encode(errors='backslashreplace').decode()


def is_plain(text: object) -> bool:
    """Whether `plain` leaves a text as it is."""
    return plain(text) == str(text)


def counted(number: int, noun: str) -> str:
    """'1 image', '2 images', '1 class', '2 classes'."""
    return f'{number} {noun}' + ('es' if noun.endswith('s') else 's') * (number != 1)
