"""A page in the browser on which pathways can be tried: :mod:`jaxpath.app.studio` answers, the page shows.

Nothing is measured here: every figure comes from :mod:`jaxpath.findings`, as in a report.
"""
