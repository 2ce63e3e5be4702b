"""Names and scores are bound to the weights that they are about, and a line that is not as it should be is named."""

from __future__ import annotations

import hashlib

import feature_tables
import pytest
from feature_tables import bind, headers, read_lines


@pytest.fixture
def saes(tmp_path):
    found = {}
    for sae in ("p3", "3"):
        found[sae] = tmp_path / sae
        found[sae].mkdir()
        (found[sae] / "sae_weights.safetensors").write_bytes(sae.encode())
    return found


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "names.tsv"
    file.write_text("# feature, name, words\np3.0\tthe sea\tship\n\n3.1\tthe law\tjudge\n4.2\tanother\tsae\n")
    return file


def features(file, saes):
    return [line.fields[0] for line in read_lines(file, saes)]


def test_lines_of_a_table_that_is_not_bound_are_believed(table, saes, capsys):
    assert features(table, saes) == ["p3.0", "3.1"]
    assert capsys.readouterr().out == ""


def test_a_header_has_the_hash_of_the_weights(saes):
    assert headers(saes)[1] == f"# 3: sae_weights.safetensors {hashlib.sha256(b'3').hexdigest()}"


def test_of_other_weights_a_bound_table_tells_nothing_and_it_says_so_once(table, saes, capsys):
    bind(table, saes)
    assert features(table, saes) == ["p3.0", "3.1"]
    (saes["p3"] / "sae_weights.safetensors").write_bytes(b"made anew")
    assert features(table, saes) == features(table, saes) == ["3.1"]
    assert capsys.readouterr().out.count("what it says of p3 is of other weights") == 1


def test_binding_again_replaces_the_headers_and_keeps_the_rest(table, saes):
    before = table.read_text()
    bind(table, saes)
    (saes["p3"] / "sae_weights.safetensors").write_bytes(b"made anew")
    bind(table, saes)
    assert table.read_text() == "\n".join([*headers(saes), before])
    assert features(table, saes) == ["p3.0", "3.1"]


@pytest.mark.parametrize(
    "line",
    ["p3.0\tthe sea", "p3.0\tthe sea\tship\tboat", "p3.0 the sea ship", "p3\tthe sea\tship", "p3.x\tthe sea\tship"],
)
def test_a_line_that_is_not_three_fields_is_refused_with_its_place(tmp_path, saes, line):
    file = tmp_path / "names.tsv"
    file.write_text(f"# names\n{line}\n")
    with pytest.raises(SystemExit, match=r"names\.tsv:2: expected a feature and two more fields"):
        read_lines(file, saes)


def test_a_header_that_is_not_whole_is_refused(tmp_path, saes):
    file = tmp_path / "names.tsv"
    file.write_text("# p3: sae_weights.safetensors 12ab\n")
    with pytest.raises(SystemExit, match=r"names\.tsv:1: expected `# ID"):
        read_lines(file, saes)


def test_a_table_is_bound_by_command(table, saes, monkeypatch):
    monkeypatch.setattr(feature_tables, "read_saes", lambda folder: saes)
    monkeypatch.setattr("sys.argv", ["feature_tables.py", str(table)])
    feature_tables.main()
    assert table.read_text().startswith(headers(saes)[0])
