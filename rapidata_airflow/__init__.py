"""Human labels from the Rapidata platform as Airflow tasks."""

from rapidata_core import __version__

__all__ = ["__version__"]
