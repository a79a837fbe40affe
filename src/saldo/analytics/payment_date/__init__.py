"""When an open item will be paid: a learnt hazard, and the simpler rungs that it must beat.

Read in this order: ``rungs`` (what a model is), ``simple`` (the simple ones), ``hazard`` (the learnt one),
``calibration``, ``backtest`` (the protocol that promotes one of them), ``scoring`` (the measures),
``forecasts`` (curves -> the figures of an item), ``reasons`` (why).
"""
