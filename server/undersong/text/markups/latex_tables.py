"""What LaTeX macros and environments mean for prose: one line a name. A macro that is in no table is transparent."""

from __future__ import annotations

from undersong.text.paragraph import Kind

KINDS: dict[str, Kind] = {
    "quote": "quote",
    "quotation": "quote",
    "displayquote": "quote",
    "verse": "quote",
    "itemize": "item",
    "enumerate": "item",
    "description": "item",
}

MASKED_ENVIRONMENTS = frozenset(
    name + star
    for star in ("", "*")
    for name in (
        *("verbatim", "Verbatim", "lstlisting", "minted", "alltt", "comment", "filecontents"),
        *("figure", "table", "wrapfigure", "tabular", "tabularx", "longtable", "array", "tikzpicture", "picture"),
        *("equation", "align", "alignat", "gather", "multline", "eqnarray", "displaymath", "math", "flalign"),
        *("thebibliography", "titlepage", "algorithm", "algorithmic"),
    )
)

HEADINGS = frozenset(("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph"))

# Macros whose argument is text: name, argument specification (pylatexenc's), which arguments are read.
_STYLED = (
    *("emph", "textit", "textbf", "textsc", "texttt", "textrm", "textsf", "textsl", "textup", "textmd", "textnormal"),
    *("underline", "uline", "uuline", "sout", "mbox", "fbox", "text", "MakeUppercase", "MakeLowercase"),
    *("uppercase", "lowercase", "textsuperscript", "textsubscript", "textquoted", "textlf", "hl"),
)
TEXT_MACROS: dict[str, tuple[str, tuple[int, ...]]] = {
    **dict.fromkeys(_STYLED, ("{", (0,))),
    "textcolor": ("[{{", (2,)),
    "colorbox": ("[{{", (2,)),
    "href": ("[{{", (2,)),
    "foreignlanguage": ("[{{", (2,)),
    "hyperref": ("[{", (1,)),
    "lettrine": ("[{{", (1, 2)),
    "texorpdfstring": ("{{", (0,)),
    "enquote": ("*{", (1,)),
}

# Macros that are masked with their arguments, besides those that the parser knows.
MASKED_MACROS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("pagestyle", "thispagestyle", "pagenumbering", "markright", "hypersetup", "selectlanguage", "url"),
            *("nocite", "index", "include", "input", "subfile", "graphicspath", "hyphenation", "stepcounter"),
            *("phantom", "hphantom", "vphantom", "autoref", "cref", "Cref", "nameref", "eqref", "thanks"),
            *("bibliography", "bibliographystyle", "chaptermark", "sectionmark", "usefont", "glsadd", "label"),
            *("ref", "pageref", "author", "title", "date", "fontfamily", "fontseries", "fontshape", "linespread"),
        ),
        "{",
    ),
    **dict.fromkeys(("footnote", "footnotetext", "marginpar", "todo", "color", "addbibresource", "sidenote"), "[{"),
    **dict.fromkeys(("footnotemark", "printbibliography", "linebreak", "pagebreak", "nopagebreak"), "["),
    **dict.fromkeys(("cite", "citep", "citet", "autocite", "parencite", "textcite", "footcite"), "*[[{"),
    **dict.fromkeys(("setlength", "addtolength", "setcounter", "addtocounter", "markboth", "fontsize"), "{{"),
    **dict.fromkeys(("vspace", "hspace", "enlargethispage"), "*{"),
    **dict.fromkeys(("newcommand", "renewcommand", "providecommand"), "*{[[{"),
    **dict.fromkeys(("newenvironment", "renewenvironment"), "*{[[{{"),
    "usepackage": "[{",
    "caption": "*[{",
    "includegraphics": "*[[{",
    "addcontentsline": "{{{",
    "definecolor": "{{{",
    "pdfbookmark": "[{{",
    "rule": "[{{",
}

ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "u": "\u0306",
    "v": "\u030c",
    "H": "\u030b",
    "c": "\u0327",
    "k": "\u0328",
    "r": "\u030a",
    "d": "\u0323",
    "b": "\u0331",
}

SYMBOLS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "aa": "å", "AA": "Å", "l": "ł",
    "L": "Ł", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dots": "…", "ldots": "…",
    "textellipsis": "…", "textemdash": "—", "textendash": "–", "textquotedblleft": "“", "textquotedblright": "”",
    "textquoteleft": "‘", "textquoteright": "’", "lq": "‘", "rq": "’", "guillemotleft": "«", "guillemotright": "»",
    "og": "«", "fg": "»", "glqq": "„", "grqq": "“", "textbackslash": "\\", "textasciitilde": "~", "pounds": "£",
    "euro": "€", "texteuro": "€", "textdegree": "°", "S": "§", "P": "¶", "copyright": "©", "dag": "†",
    "TeX": "TeX", "LaTeX": "LaTeX", "textunderscore": "_", "slash": "/", "nobreakdash": "",
}  # fmt: skip

ESCAPED = frozenset("%&$#_{}")
SPACES = frozenset((" ", "\\", "newline", "linebreak", "quad", "qquad", "enspace", "space", "hfill", "\n", "\t"))
BREAKS = frozenset(("par", "item", "bigskip", "medskip", "smallskip", "newpage", "clearpage", "cleardoublepage"))
