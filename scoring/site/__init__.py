"""The site: boards of records as static pages that work from a file, without a server.

    frames, details -> Material -> Board (one per suite and ruleset) -> Site -> files

Words:

- `Material` (`material`): all data of the pages: the results and curves frames, and descriptions of
records, submissions and workloads in words. It is made by the code that reads records, not here. A
source that could not be read is a `Gap`, and every page shows the gaps that concern it.
- `Board` (`boards`): the trials of one suite and ruleset, scored by each available clock. A `View`
holds the results for one clock: scoreboard, uncertainty, `Ranking`, speed-ups. If a rule refuses
the score, the board has no view; its page names the rule and shows the trials.
- `Ranking` (`ranking`): for each pair, whether one entry is settled to be faster, as by `harness
compare`. An entry's rank is one plus the number of entries settled to be faster, so entries that
cannot be distinguished from the best share its rank; there are no finer ranks.
- `Layout` (`names`): the path of each page and file, which does not change when the site is written
again.

Pages that are useful without scripts (board, submission, workload) are written as HTML. For pairs
and trials, which are too many, there is one page each that takes its subject from the address
(`pair.html?a=muon&b=adamw`) and its data from script files, because a page opened from a file may
load scripts but not fetch data. Curves are loaded in the same way when needed. All text is escaped:
by the templates, by `textContent` in scripts, and by `scripts.script` in data.

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
