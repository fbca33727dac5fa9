"""The one stylesheet of our pages, for a screen and for A4.

A constant: the page's content policy names its hash.
"""

STYLE = """
:root { --ink: #1b2733; --soft: #51606f; --line: #c9d3dc; --pale: #eef2f5; --blue: #1f4e79; --blue2: #4a7fb0; --good: #1c6b38; --bad: #a3141c; --warn: #7a5200; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 62rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 2.75rem 0 .5rem; padding-top: 1rem; border-top: 3px solid var(--blue); }
h3 { font-size: 1.08rem; margin: 1.75rem 0 .35rem; color: var(--blue); }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.under, .quiet, figcaption, .legend { color: var(--soft); }
.under { margin-bottom: 1rem; }
.quiet, figcaption, .legend, caption { font-size: .875rem; }
.lead { font-size: 1.15rem; font-weight: 600; }
a { color: var(--blue); }
code { font: .85em/1.4 ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.verdict { border: 2px solid; border-left-width: 10px; border-radius: 4px; padding: .75rem 1rem; margin: 1rem 0; background: #fff; }
.verdict p { margin: .2rem 0; max-width: none; color: var(--ink); }
.verdict .word { font-size: 1.2rem; font-weight: 700; }
.good { border-color: var(--good); } .good .word, .ok { color: var(--good); }
.bad { border-color: var(--bad); background: #fdf3f3; } .bad .word, .bad p.fault, .stop { color: var(--bad); font-weight: 700; }
.pause { border-color: var(--warn); } .pause .word, .wait { color: var(--warn); }
.status { font-weight: 600; white-space: nowrap; }
.partial { border-left: 4px solid var(--bad); padding-left: .6rem; color: var(--bad); font-weight: 600; }
nav ul { margin: .25rem 0 1rem; padding-left: 1.25rem; }
dl.facts { display: grid; grid-template-columns: fit-content(14rem) 1fr; gap: .3rem 1.25rem; margin: .75rem 0 1rem; }
dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.words dt { font-weight: 600; margin-top: .6rem; } dl.words dd { margin: 0 0 0 1.25rem; max-width: 46rem; }
figure { margin: .75rem 0 1.25rem; } figure > svg { display: block; width: 100%; height: auto; max-width: 60rem; }
figcaption { margin: .25rem 0 0; }
.legend { margin: .25rem 0 .5rem; } .key { display: inline-block; margin-right: 1.25rem; } .key svg { width: 18px; height: 12px; margin-right: .4rem; vertical-align: -1px; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .middle, svg .inside { text-anchor: middle; } svg .last { text-anchor: end; } svg .first { text-anchor: start; }
svg .inside { fill: #fff; font-weight: 700; }
svg .left { fill: var(--pale); } svg .frame { stroke: #7d8b98; stroke-width: 1; } svg rect.frame:not(.left) { fill: none; }
svg .tone0 { fill: var(--blue); } svg .tone1 { fill: var(--blue2); } svg .used { stroke: #fff; stroke-width: .75; }
svg .axis { stroke: #7d8b98; } svg .grid { stroke: #e1e7ec; }
svg .area { fill: #cfdeec; } svg .staircase { fill: none; stroke: var(--blue); stroke-width: 2.25; } svg .granted { fill: none; stroke: var(--warn); stroke-width: 1.75; stroke-dasharray: 6 4; }
.scroll { overflow-x: auto; margin: .5rem 0 1.25rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: 0 0 .35rem; caption-side: top; }
th, td { text-align: left; vertical-align: top; padding: .32rem .6rem .32rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 400; } tr.over th { background: var(--pale); font-weight: 600; padding: .4rem .5rem; }
.figure { text-align: right; padding-right: .9rem; } td.figure { white-space: nowrap; } td:last-child, th:last-child { padding-right: .25rem; }
.name { overflow-wrap: anywhere; } .day { white-space: nowrap; } .study { min-width: 11rem; } tr.total > * { border-top: 2px solid var(--ink); }
details { margin: .25rem 0; } details > summary { cursor: pointer; color: var(--blue); } details .scroll { margin-left: 1rem; }
footer { margin-top: 3rem; padding-top: .75rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
.onpaper { display: none; }
@page { size: A4; margin: 17mm 15mm 18mm;
  @bottom-left { content: "Privacy audit"; font: 8.5pt sans-serif; color: #51606f; }
  @bottom-right { content: "page " counter(page) " of " counter(pages); font: 8.5pt sans-serif; color: #51606f; } }
@media print {
  body { font-size: 10pt; line-height: 1.4; padding: 0; max-width: none; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h1 { font-size: 19pt; } h2 { font-size: 14pt; margin-top: 1.2rem; } h3 { font-size: 11pt; margin-top: 1rem; }
  h1, h2, h3, caption, thead, .over { break-after: avoid; }
  section.population, section.rest { break-before: page; } section.population > h2, section.rest > h2:first-child { margin-top: 0; }
  .study { min-width: 38mm; }
  figure, .verdict, tr, caption, .short, section.meaning, dl.facts > dd { break-inside: avoid; } tbody:first-of-type > tr:nth-child(-n+2) { break-before: avoid; }
  thead { display: table-header-group; }
  table { font-size: 8.5pt; } .quiet, figcaption, .legend, caption { font-size: 8.5pt; }
  .scroll { overflow: visible; margin-bottom: .8rem; } .onscreen, details:not([open]) { display: none; } .onpaper { display: block; }
  details > summary { list-style: none; } details .scroll { margin-left: 0; }
  a { color: inherit; text-decoration: none; }
}
@media (max-width: 40rem) { body { padding: 1rem .8rem 3rem; } dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; } caption { max-width: 88vw; } }
"""
