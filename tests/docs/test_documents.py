"""Commands and links of the documents: scripts understand them, files and headings exist."""
import pathlib
import re
import shlex

import pytest

import configs

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob('*.md'), *ROOT.glob('docs/*.md'), *ROOT.glob('checkpoints/**/*.md')])
POSITIONAL = {'ssd_demo': 'image'}


def _commands(text):
    """Yields the words of each command in code blocks and in code within sentences."""
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
    """Yields the words from the Python file or module on. alone: python3 may be left out."""
    if line.count("'") % 2:
        return
    words = shlex.split(line.replace('<name>', 'mobilenet_v1'), comments=True)
    for number, word in enumerate(words):
        begins = words[number - 1] == 'python3' if number else alone
        if begins and re.fullmatch(r'[\w/]+\.py', word):
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
            given = [word for word in arguments if '...' not in word and word != '--help'
                     and not word.endswith('/settings.json')]  # of a training
            configs.load(script, given, positional=POSITIONAL.get(script, ''))
        elif name not in ('pytest', 'pip', 'venv', 'ruff'):
            text = _source(name.removesuffix('.py').replace('.', '/'))
            for key in (word.split('=')[0] for word in arguments if word.startswith('--')):
                assert f"'{key}'" in text, f'{key} of {name}'


def _source(name):
    """Text of a file and of the modules of evaluation that it imports: they share arguments."""
    text = _module(name).read_text()
    shared = re.findall(r'from evaluation\.(\w+) import', text)
    for names in re.findall(r'from evaluation import ([\w, ]+)', text):
        shared += [word.split()[0] for word in names.split(', ')]
    return text + ''.join(_module(f'evaluation/{word}').read_text() for word in shared)


def _module(name):
    """A file, or that of a package."""
    path = ROOT / f'{name}.py'
    return path if path.exists() else ROOT / name / '__init__.py'


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path):
    for link in re.findall(r'\]\(([^)\s]+)\)', _sentences(path.read_text())):
        if link.startswith('http'):
            continue
        name, _, heading = link.partition('#')
        target = path if not name else path.parent / name
        assert target.exists(), link
        if heading:
            lines = [line for line in target.read_text().splitlines() if line.startswith('#')]
            words = [re.sub(r'[^\w -]', '', line.lstrip('# ').lower()) for line in lines]
            assert heading in [text.replace(' ', '-') for text in words], link


def test_readme_leads_to_every_page():
    readme = (ROOT / 'README.md').read_text()
    pages = [path.name for path in DOCUMENTS if path.parent.name == 'docs']
    assert [name for name in pages if f'(docs/{name})' not in readme] == []


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_of_the_repository_that_are_named_exist(path):
    folders = ('configs', 'datasets', 'preprocessing', 'nets', 'training', 'detection',
               'evaluation', 'utils', 'benchmarks', 'tests', 'docs')
    for name in re.findall(rf'`((?:{"|".join(folders)})/[\w/]+\.\w+)', path.read_text()):
        assert (ROOT / name).exists(), name
