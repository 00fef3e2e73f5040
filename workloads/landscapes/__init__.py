"""Problems without data: functions and small models whose minimum is known in closed form.

Each is a workload of the suite `landscapes`, whose budgets are counted in steps. A model's
`diagnostics.py` computes in closed form, from the parameters, what the loss alone does not show.
"""
