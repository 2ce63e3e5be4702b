"""What the Neovim client says of itself: its README, its help, and its own checks. The engine is not needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.editors.editors import loaded, needs
from tests.editors.neovim import CLIENT, Neovim

README = (CLIENT / "README.md").read_text(encoding="utf-8")
HELP = (CLIENT / "doc/undersong.txt").read_text(encoding="utf-8")
PLUGS = [f"<Plug>(undersong-accept-{extent})" for extent in ("all", "line", "sentence", "word")]


@pytest.fixture(scope="module")
def manifest() -> ModuleType:
    return loaded(CLIENT / "manifest.py")


def test_the_readme_has_every_command_and_setting(manifest: ModuleType) -> None:
    assert len(manifest.subcommands()) > 20
    assert manifest.readme(README) == README, "run editor-clients/neovim/manifest.py"


def test_the_readme_shows_pictures_that_are_there() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README, re.DOTALL)
    assert pictures and all((CLIENT / picture).is_file() for picture in pictures)


def test_the_help_has_every_command_and_mapping(manifest: ModuleType) -> None:
    tags = set(re.findall(r"\*(\S+)\*", HELP))
    assert {f":Undersong-{name}" for name in manifest.subcommands()} <= tags
    assert all(plug in HELP and plug in README for plug in PLUGS)


def test_the_help_fits_its_window_and_its_references_lead_somewhere() -> None:
    assert [line for line in HELP.splitlines() if len(line) > 80] == []
    tags = set(re.findall(r"\*(\S+)\*", HELP))
    ours = {one for one in re.findall(r"\|(\S+?)\|", HELP) if "ndersong" in one}
    assert ours <= tags


@needs("nvim")
class TestInNeovim:
    @pytest.fixture
    def nvim(self, environment: dict[str, str], tmp_path: Path) -> Iterator[Neovim]:
        with Neovim(environment, tmp_path) as nvim:
            yield nvim

    def test_every_subcommand_has_its_function_and_its_completion(self, nvim: Neovim) -> None:
        broken = nvim.lua(
            """
            return vim.iter(require("undersong.subcommands")):filter(function(one)
              local run = require("undersong.commands." .. one.file)[one.name]
              local names = not one.completes or require("undersong.completions")[one.completes]
              return not (run and names and vim.fn.maparg(("<Plug>(undersong-%s)"):format(one.name), "n") ~= "")
            end):totable()
            """
        )
        assert broken == []

    def test_subcommands_are_completed_and_an_unknown_one_is_named(self, nvim: Neovim) -> None:
        assert nvim.lua('return vim.fn.getcompletion("Undersong st", "cmdline")') == [
            "strength",
            "steer",
            "stronger",
            "status",
        ]
        nvim.keys(":Undersong stear<CR>")
        nvim.shows("there is no subcommand `stear`; there are: search, ")

    def test_without_a_server_it_is_said_how_to_start_one(self, nvim: Neovim) -> None:
        nvim.keys(":Undersong steer<CR>")
        nvim.shows("the server does not run here; :Undersong restart starts it")

    def test_its_startup_loads_only_the_list_of_subcommands(self, nvim: Neovim) -> None:
        nvim.command("runtime! plugin/undersong.lua")
        loaded = nvim.lua(
            'return vim.tbl_filter(function(n) return n:match("^undersong") end, vim.tbl_keys(package.loaded))'
        )
        # The configuration of the server, which `vim.lsp.enable` asks for, is all there is beside it.
        assert "undersong.subcommands" in loaded
        assert not {"undersong.commands", "undersong.candidates", "undersong.ghost"} & set(loaded)


ARGUMENTS = [
    ("tea and meals 0.6", ["tea and meals", 0.6]),
    ("tea and meals = -0.5", ["tea and meals", -0.5]),
    ('"chapter 1"', ["chapter 1"]),
    ('"chapter 1" = 0.5', ["chapter 1", 0.5]),
    ('"chapter 1" 0.5', ["chapter 1", 0.5]),
    ("p3.649 1", ["p3.649", 1]),
    ("p3.649", ["p3.649"]),
    ("  grief  ", ["grief"]),
    ("tea = and meals", ["tea = and meals"]),
    ("", []),
    ('""', []),
]
NO_STRENGTHS = [
    ('"grief" 0,8', "0,8"),
    ("grief 0,8", "0,8"),
    ("grief = 0.8.1", "0.8.1"),
    ('"grief" = strong', "strong"),
    ('"grief" 0x1', "0x1"),
    ('"grief" inf', "inf"),
]
WRONG = [
    (
        '{ cmd = "undersong" }',
        'vim.g.undersong.cmd must be a list of strings such as { "undersong", "serve", "--stdio" }, found "undersong"',
    ),
    (
        '{ show = { "hint" } }',
        'vim.g.undersong.show must be a list of some of "hints", "lenses", "ghost_text", "progress", "completion", '
        'found { "hint" }',
    ),
    ("{ comand = {} }", "vim.g.undersong.comand is no setting; there are: cmd, show"),
    ('"yes"', 'vim.g.undersong must be a table, found "yes"'),
]


@needs("nvim")
def test_a_name_and_a_strength_are_read_as_they_may_be_written(environment: dict[str, str], tmp_path: Path) -> None:
    with Neovim(environment, tmp_path) as nvim:
        for text, expected in ARGUMENTS:
            assert nvim.lua('return { require("undersong.arguments").feature(...) }', text) == expected


@needs("nvim")
def test_what_is_no_strength_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    with Neovim(environment, tmp_path) as nvim:
        for text, found in NO_STRENGTHS:
            problem = nvim.lua('return (select(3, require("undersong.arguments").feature(...)))', text)
            assert problem == f"a strength is a number from -1 to 1.5, such as 0.5; found `{found}`"


OFFER = """
local answer, asked = ..., {}
local server = require("undersong.server")
answers_asked = asked
server.ask = function(_, command, argument, on_answer)
  asked[#asked + 1] = { command, argument.strength }
  if #asked == 1 then
    vim.schedule(function() on_answer(server.without_null(answer)) end)
  end
  return #asked
end
local client = { offset_encoding = "utf-16", requests = {} }
require("undersong.candidates").open(client, { uri = vim.uri_from_bufnr(0) })
"""
RANGE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
OFFERED = {
    "id": "1",
    "title": "More grief",
    "range": RANGE,
    "seed": 0,
    "strength": 1.4,
    "stronger": 1.5,
    "weaker": None,
    "candidates": [{"text": "One.\n\nTwo.", "effect": "grief 0.10 to 0.90", "loss": "loses\na link", "seed": 0}],
}


@needs("nvim")
def test_candidates_are_one_line_of_what_they_do_and_are_turned_as_the_server_says(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with Neovim(environment, tmp_path) as nvim:
        nvim.lua(OFFER, OFFERED)
        nvim.shows("1  grief 0.10 to 0.90  loses a link")
        assert nvim.text == "1  grief 0.10 to 0.90  loses a link\nOne.\n\nTwo."
        nvim.shows("+: stronger   q: close")
        nvim.keys("-")
        nvim.until(lambda: "there is none weaker than 1.4" in nvim.messages)
        nvim.keys("+")
        nvim.until(lambda: nvim.lua("return answers_asked") == [["candidates"], ["candidates", 1.5]])


@needs("nvim")
def test_the_status_is_told_with_its_warnings(environment: dict[str, str], tmp_path: Path) -> None:
    status = {
        "state": "ready",
        "model": "m",
        "device": "cpu",
        "memory_bytes": 2e9,
        "weights_bytes": 1e9,
        "caches_bytes": 3e8,
        "budget_bytes": 3e9,
        "clients": 2,
        "warnings": ["the SAE of layer 3 was made for another model"],
    }
    memory = "2000 MB of 3000 MB (weights 1000, caches 300)"
    told = f"ready: m on cpu, {memory}, 2 editors\nthe SAE of layer 3 was made for another model"
    with Neovim(environment, tmp_path) as nvim:
        assert nvim.lua('return require("undersong.status").summary(...)', status) == told


@needs("nvim")
@pytest.mark.parametrize("asks", ["vim.lsp.is_enabled", "nil"], ids=["0.12", "0.11, which cannot tell"])
def test_who_never_enabled_the_server_is_told_nothing(environment: dict[str, str], tmp_path: Path, asks: str) -> None:
    (tmp_path / "a.md").write_text("The sea was grey.\n")
    init = f"""
    vim.lsp.enable("undersong", false)
    vim.lsp.is_enabled = {asks}
    vim.g.undersong = {{ cmd = {{ "/nowhere/undersong" }} }}
    """
    with Neovim(environment, tmp_path, "a.md", init=init) as nvim:
        nvim.until(lambda: nvim.lua("return vim.bo.filetype") == "markdown")
        assert nvim.messages == ""


@needs("nvim")
@pytest.mark.parametrize(("setting", "says"), WRONG)
def test_a_wrong_setting_is_told_with_what_was_expected(
    environment: dict[str, str], tmp_path: Path, setting: str, says: str
) -> None:
    (tmp_path / "a.md").write_text("The sea was grey.\n")
    with Neovim(environment, tmp_path, "a.md", init=f"vim.g.undersong = {setting}") as nvim:
        nvim.until(lambda: says in nvim.messages)


@needs("nvim")
def test_a_server_that_is_missing_is_told_of_once_and_in_the_health_check(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for name in ("a.md", "b.txt"):
        (tmp_path / name).write_text("The sea was grey.\n")
    cmd = 'vim.g.undersong = { cmd = { "/nowhere/undersong" } }'
    says = "the server cannot be started: /nowhere/undersong is not executable"
    with Neovim(environment, tmp_path, "a.md", init=cmd) as nvim:
        nvim.until(lambda: says in nvim.messages)
        nvim.command("edit b.txt")
        assert nvim.messages.count(says) == 1
        nvim.command("checkhealth undersong")
        nvim.shows(says)
        nvim.shows("looked on the PATH")
