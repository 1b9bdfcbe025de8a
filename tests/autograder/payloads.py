"""What hostile notebooks carry. In a browser, each of them would change the page's title or worse."""

DO = "document.title='pwned'"

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
    '<link rel="stylesheet" href="http://127.0.0.1:9/x.css">',
    '<div style="position:fixed;inset:0">cover</div>',
    f'<form action="javascript:{DO}"><button>x</button></form>',
    f'<details open ontoggle="{DO}">x</details>',
    f'<video><source onerror="{DO}"></video>',
    f'<object data="data:text/html,<script>{DO}</script>"></object>',
    '<base href="http://127.0.0.1:9/">',
    '<img src="http://127.0.0.1:9/who-grades-me.png">',
    f'<noscript><p title="</noscript><img src=x onerror={DO}>"></noscript>',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={DO}&gt;">',
    f'<b><!--><img src=x onerror="{DO}">--></b><img src=x onerror="{DO}">',
    f"<textarea><img title='</textarea><img src=x onerror={DO}>'></textarea>",
    f"<p onmouseover={DO}>x</p>",
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
    "![x](http://127.0.0.1:9/who-grades-me.png)",
    f"```mermaid\n</pre><script>{DO}</script>\n```",
    f"```mermaid\n<!--><img src=x onerror={DO}>-->\n<img src=x onerror={DO}>\n```",
    f'# <img src=x onerror="{DO}">',
    f'| a |\n|---|\n| <img src=x onerror="{DO}"> |',
    f"> <b>q</b> <script>{DO}</script>",
    f"<p>\n\n[x](javascript:{DO})\n\n</p>",
    f"<b>b</b> \\[x\\](javascript:{DO}) [x](javascript:{DO})",
]
