"""Files that other tools read: the citation, and the workflow that calls .ci/run."""
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_citation_names_the_paper():
    content = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    paper = content['preferred-citation']
    assert content['license'] == 'Apache-2.0' and paper['year'] == 2016
    assert len(paper['authors']) == 7 and paper['doi'] == '10.1007/978-3-319-46448-0_2'


def test_workflow_runs_the_pythons_of_the_readme():
    workflow = yaml.safe_load((ROOT / '.github/workflows/ci.yml').read_text())
    [job] = workflow['jobs'].values()
    readme = (ROOT / 'README.md').read_text()
    first, last = re.search(r'Python 3\.(\d+) to 3\.(\d+)', readme).groups()
    assert job['strategy']['matrix']['python'] == [
        f'3.{number}' for number in range(int(first), int(last) + 1)]
    assert job['steps'][-1]['run'] == '.ci/run' and (ROOT / '.ci/run').exists()
