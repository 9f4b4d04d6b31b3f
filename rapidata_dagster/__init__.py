"""Human labels from Rapidata as Dagster assets."""

from __future__ import annotations

from dagster_shared.libraries import DagsterLibraryRegistry

from rapidata_core import __version__ as __version__
from rapidata_dagster.assets import rapidata_labels as rapidata_labels
from rapidata_dagster.metadata import labels_manifest as labels_manifest
from rapidata_dagster.resource import RapidataResource as RapidataResource

DagsterLibraryRegistry.register("rapidata-orchestration", __version__, is_dagster_package=False)
