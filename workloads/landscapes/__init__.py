"""Problems without data: functions and small models whose minimum is known in closed form.

Each is a workload of the suite `landscapes`, whose trials are counted in steps. `diagnostics.py`
beside a model gives what the loss alone does not say, from parameters by closed forms.
"""
