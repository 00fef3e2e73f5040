"""The experiments of the thesis, each one declarative file: `NAME.toml` in this folder.

    files -> trials -> run -> frame -> measures -> claims, figures -> results

`docs/EXPERIMENTS.md` says how to add one. Trials are planned, run and recorded like those of any
benchmark run; no code here trains.
"""
