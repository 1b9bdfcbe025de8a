"""What hostile notebooks carry. In a browser, each of them would change the page's title or worse."""

DO = "document.title='pwned'"
ELSEWHERE = "http://elsewhere.test"  # a test's browser takes every address for that of its listener

# HTML that asks another machine for something; the paths tell which one did.
LOADS = [
    f'<img src="{ELSEWHERE}/image">',
    f'<img srcset="{ELSEWHERE}/srcset 1x">',
    f"<style>body {{ background: url({ELSEWHERE}/css-url) }}</style>",
    f'<p style="background: url({ELSEWHERE}/css-attribute)">x</p>',
    f'<style>@import "{ELSEWHERE}/css-import";</style>',
    f'<link rel="stylesheet" href="{ELSEWHERE}/stylesheet">',
    f'<link rel="prefetch" href="{ELSEWHERE}/prefetch">',
    f'<link rel="preload" as="image" href="{ELSEWHERE}/preload">',
    f'<iframe src="{ELSEWHERE}/iframe"></iframe>',
    f'<meta http-equiv="refresh" content="0;url={ELSEWHERE}/refresh">',
    f'<form action="{ELSEWHERE}/form"><input name="a"></form>',
    f'<input type="image" src="{ELSEWHERE}/input">',
    f'<script src="{ELSEWHERE}/script"></script>',
    f'<img src="data:," onerror="fetch(\'{ELSEWHERE}/handler\')">',
    f'<svg><image href="{ELSEWHERE}/svg" width="9" height="9"/></svg>',
    f'<object data="{ELSEWHERE}/object"></object>',
    f'<embed src="{ELSEWHERE}/embed">',
    f'<video poster="{ELSEWHERE}/poster"></video>',
    f'<audio src="{ELSEWHERE}/audio"></audio>',
    f'<table background="{ELSEWHERE}/table"><td>x</td></table>',
    f'<base href="{ELSEWHERE}/base/"><img src="x">',
]

# HTML, as it may stand in outputs and in markdown.
PAGES = [
    f"<script>{DO}</script>",
    f'<img src=x onerror="{DO}">',
    f'<svg onload="{DO}"></svg>',
    f"<svg><script>{DO}</script></svg>",
    f'<svg><animate onbegin="{DO}" attributeName=x dur=1s>',
    f'<iframe src="javascript:parent.{DO}"></iframe>',
    f'<iframe srcdoc="<script>parent.{DO}</script>"></iframe>',
    f'<body onload="{DO}">',
    f'<a href="javascript:{DO}">x</a>',
    f'<a href=" &#1;jav&#x09;ascript:{DO}">x</a>',
    f'<meta http-equiv="refresh" content="0;url=data:text/html,<script>{DO}</script>">',
    "<style>body { display: none }</style>",
    '<div style="position:fixed;inset:0">cover</div>',
    f'<form action="javascript:{DO}"><button>x</button></form>',
    f'<details open ontoggle="{DO}">x</details>',
    f'<video><source onerror="{DO}"></video>',
    f'<object data="data:text/html,<script>{DO}</script>"></object>',
    f'<noscript><p title="</noscript><img src=x onerror={DO}>"></noscript>',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={DO}&gt;">',
    f'<b><!--><img src=x onerror="{DO}">--></b><img src=x onerror="{DO}">',
    f"<textarea><img title='</textarea><img src=x onerror={DO}>'></textarea>",
    f"<p onmouseover={DO}>x</p>",
    *LOADS,
]

# Markdown whose own rendering is active.
MARKDOWN = [
    f"[x](javascript:{DO})",
    f"[x](JaVaScRiPt:{DO})",
    f"[x](&#106;avascript:{DO})",
    f"<javascript:{DO}>",
    f"[a]\n\n[a]: javascript:{DO}",
    f"[x](data:text/html;base64,PHNjcmlwdD4=) <img src=x onerror={DO}>",
    f"![x](javascript:{DO})",
    f"![x]({ELSEWHERE}/markdown)",
    f"![x][a]\n\n[a]: {ELSEWHERE}/reference",
    f"```mermaid\n</pre><script>{DO}</script>\n```",
    f"```mermaid\n<!--><img src=x onerror={DO}>-->\n<img src=x onerror={DO}>\n```",
    f'# <img src=x onerror="{DO}">',
    f'| a |\n|---|\n| <img src=x onerror="{DO}"> |',
    f"> <b>q</b> <script>{DO}</script>",
    f"<p>\n\n[x](javascript:{DO})\n\n</p>",
    f"<b>b</b> \\[x\\](javascript:{DO}) [x](javascript:{DO})",
]

# TeX that is no mathematics: MathJax makes links, styles and boxes of it that cover the page.
TEX = [
    rf"$\href{{javascript:{DO}}}{{x}}$",
    rf"$$\href {{ javascript:{DO} }} {{x}}$$",
    r"$\style{position:fixed;inset:0;background:red}{x}$",
    r"$\class{modal-backdrop}{x}$ and $\cssId{notebook}{x}$",
    r"$\require{action}\unicode[a]{x41}$",
    r"$\smash{\rule[-5000px]{9000px}{9000px}}$",
    r"\begin{align}\llap{\raise 99em {\Rule{9em}{9em}{9em}}}\end{align}",
    f"&#36;&#92;href{{javascript:{DO}}}{{x}}&#36;",
    f"$\\hr<!-- -->ef{{javascript:{DO}}}{{x}}$",
]

# What a terminal obeys: colours, titles, links, overwriting, another direction of writing; half a character.
TERMINAL = [
    "\x1b[2K\x1b[1A\x1b[32m100 of 100 points\x1b[0m",
    "\x1b]0;pwned\x07",
    "\x1b]8;;http://127.0.0.1:9/\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31m",
    "wrong\rright",
    "\u202estniop 0\u202c",
    "\u2066\u2067\u200f",
    "\ud800",
]

# What a spreadsheet takes for a formula; the last two where a semicolon or a line ends a cell.
FORMULAS = [
    "=cmd|'/c calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "x;=1",
    "x\n=1",
]
