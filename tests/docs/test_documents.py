"""What the documents tell a user to type is what the scripts understand, and their links lead somewhere."""
import pathlib
import re
import shlex

import pytest

import configs

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('checkpoints/**/*.md')])
POSITIONAL = {'ssd_demo': 'image'}


def _commands(text):
    """Commands of the code blocks and of code in sentences that name a Python file or module, as words."""
    blocks = re.findall(r'```\n(.*?)```', text, re.DOTALL)
    for block in blocks:
        block = block.replace('\\\n', ' ')
        common = re.search(r'^COMMON="(.*)"$', block, re.MULTILINE)
        for line in block.replace('$COMMON', common[1] if common else '').splitlines():
            yield from _python(line)
    for code in re.findall(r'`([^`]+)`', _sentences(text)):
        if ' ' in code:  # not a mere name
            yield from _python(' '.join(code.split()), alone=True)


def _sentences(text):
    return re.sub(r'```.*?```', '', text, flags=re.DOTALL)


def _python(line, alone=False):
    """Words from the file or module on, behind python3; alone: a file may also begin the line."""
    words = shlex.split(line.replace('<name>', 'mobilenet_v1'), comments=True) if line.count("'") % 2 == 0 else []
    for number, word in enumerate(words):
        if re.fullmatch(r'[\w/]+\.py', word) and (words[number - 1] == 'python3' if number else alone):
            yield words[number:]
        elif word == '-m' and words[number - 1] == 'python3' and number + 1 < len(words):
            yield words[number + 1:]


def test_there_are_documents_and_commands():
    assert len(DOCUMENTS) >= 10
    assert len([words for path in DOCUMENTS for words in _commands(path.read_text())]) >= 60


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_name_files_and_keys_that_exist(path):
    for name, *arguments in _commands(path.read_text()):
        script = name.removesuffix('.py')
        if script in configs.SCRIPTS:
            given = [word for word in arguments if '...' not in word and word != '--help']
            configs.load(script, given, positional=POSITIONAL.get(script, ''))
        elif name not in ('pytest', 'pip', 'venv', 'ruff'):
            text = _source(name if name.endswith('.py') else name.replace('.', '/') + '.py')
            for key in (word.split('=')[0] for word in arguments if word.startswith('--')):
                assert f"'{key}'" in text, f'{key} of {name}'


def _source(name):
    """The text of a file and of the modules that it imports from evaluation, where commands share their arguments."""
    text = (ROOT / name).read_text()
    shared = re.findall(r'from evaluation\.(\w+) import', text)
    shared += [word.split()[0] for names in re.findall(r'from evaluation import ([\w, ]+)', text) for word in names.split(', ')]
    return text + ''.join((ROOT / f'evaluation/{word}.py').read_text() for word in shared)


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path):
    for link in re.findall(r'\]\(([^)\s]+)\)', _sentences(path.read_text())):
        if link.startswith('http'):
            continue
        name, _, heading = link.partition('#')
        target = path if not name else path.parent / name
        assert target.exists(), link
        if heading:
            headings = [re.sub(r'[^\w -]', '', line.lstrip('# ').lower()).replace(' ', '-')
                        for line in target.read_text().splitlines() if line.startswith('#')]
            assert heading in headings, link


def test_readme_leads_to_every_page():
    readme = (ROOT / 'README.md').read_text()
    assert [path.name for path in DOCUMENTS if path.parent.name == 'docs' and f'(docs/{path.name})' not in readme] == []


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_repository_that_are_named_exist(path):
    folders = 'configs|datasets|preprocessing|nets|training|detection|evaluation|utils|benchmarks|tests|docs'
    for name in re.findall(rf'`((?:{folders})/[\w/]+\.\w+)', path.read_text()):
        assert (ROOT / name).exists(), name
