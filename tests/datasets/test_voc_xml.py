"""What is written as VOC XML is read back the same."""
from datasets import voc_xml
from datasets.readers import voc


def test_round_trip(tmp_path):
    (tmp_path / 'Annotations').mkdir()
    text = voc_xml.annotation(
        'a & b.jpg', 50, 100, [('cat', (2, 1, 40, 30), False), ('<dog>', (5, 6, 50, 100), True)]
    )
    (tmp_path / 'Annotations/a.xml').write_text(text)
    found = voc.read_xml(tmp_path, 'a')
    assert found.size == (50, 100)
    assert [(item.name, item.edges, item.difficult) for item in found.objects] == [
        ('cat', (1, 0, 40, 30), False), ('<dog>', (4, 5, 50, 100), True)]
    assert '<filename>a &amp; b.jpg</filename>' in text
    (tmp_path / 'Annotations/b.xml').write_text(voc_xml.annotation('b.jpg', 50, 100, []))
    found = voc.read_xml(tmp_path, 'b')
    assert (found.objects, found.size) == ([], (50, 100))
