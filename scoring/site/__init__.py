"""The site: boards of records as static pages that work from a file, without a server.

    frames, details -> Material -> Board (one per suite and ruleset) -> Site -> files

Words:

- `Material` (`material`): all that pages are made of: the results and curves frames, and beside
  them what records, submissions and workloads say in words. Whoever reads records makes it;
  nothing here does. What could not be read is a `Gap`, and every page shows those it concerns.
- `Board` (`boards`): the trials of one suite and ruleset, scored by each clock that they have. A
  `View` is one clock's: scoreboard, uncertainty, `Ranking`, speed-ups. A board that a rule refuses
  to score has no view; its page says which rule, and shows the trials.
- `Ranking` (`ranking`): which entry is settled to be faster than which, as `harness compare`
  settles it. An entry's rank is one plus the number of entries settled to be faster, so that those
  that cannot be told apart from the best share its rank; there are no finer ranks.
- `Layout` (`names`): the place of each page and file, stable from one writing to the next.

Pages that a reader without scripts can use (board, submission, workload) are written as HTML.
Pages of which there are too many to write (pair, trial) are one page each, which takes what it
shows from the address (`pair.html?a=muon&b=adamw`) and the data from script files beside it, as a
page that was opened from a file may load scripts, but fetch nothing. Curves come the same way, when
they are needed. All text is escaped: by the templates, by `textContent` in scripts, and by
`scripts.script` in data.

    SITE/index.html                     the boards
    SITE/assets/                        style, scripts, the charts' library and its licence
    SITE/<suite>-<ruleset>/index.html   the board
                           dated/       earlier states of it, one per date, never rewritten
                           s/ w/        a page per submission, a page per workload
                           pair.html, trial.html
                           data/        script files: board, entries, curves, pairs
                           tables/      every table as CSV and JSON
                           badge.svg, board.bib
"""
