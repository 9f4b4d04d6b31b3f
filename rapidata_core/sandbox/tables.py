"""The tables of the sandbox's database: what it remembers of each object of the platform.

Moments are those of the simulated clock; what is kept only to be answered is JSON as it came.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData()

settings = Table(
    "setting",
    METADATA,
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

counters = Table(
    "counter",
    METADATA,
    Column("kind", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

audiences = Table(
    "audience",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    # global, curated, custom, filtered or unlisted.
    Column("kind", String, nullable=False),
    # Where its people come from: the whole population, or a trained part of it.
    Column("pool", String, nullable=False),
    Column("base_id", String),
    Column("slice", JSON),
    Column("filters", JSON, nullable=False),
    Column("rule", JSON, nullable=False),
    # Further options of the platform, kept to be answered.
    Column("options", JSON, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("cohort_id", String),
    Column("recruited_at", BigInteger),
    Column("ready_at", BigInteger),
    Column("over_at", BigInteger),
    # How many have graduated and dropped out when recruiting is over.
    Column("qualified", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
)

assets = Table(
    "asset",
    METADATA,
    Column("file_name", String, primary_key=True),
    Column("original_name", String, nullable=False),
    Column("source_url", String),
    Column("size", Integer),
)

batches = Table(
    "batch_upload",
    METADATA,
    Column("id", String, primary_key=True),
    Column("correlation_id", String, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("ready_at", BigInteger, nullable=False),
)

batch_items = Table(
    "batch_upload_item",
    METADATA,
    Column("batch_id", String, ForeignKey("batch_upload.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", String, nullable=False),
    Column("file_name", String),
    Column("error_message", String),
    Column("stage", String),
    Column("upstream_status", Integer),
)

datasets = Table(
    "dataset",
    METADATA,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("segment_schema", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

datapoints = Table(
    "datapoint",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False, index=True),
    Column("segments", JSON, nullable=False),
    Column("sort_index", Integer),
    Column("group_name", String),
    Column("private_metadata", JSON),
    Column("created_at", BigInteger, nullable=False),
)

definitions = Table(
    "definition",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # A deleted definition disappears from the API, but its jobs go on and still need its revision.
    Column("deleted", Boolean, nullable=False),
)

revisions = Table(
    "revision",
    METADATA,
    Column("definition_id", String, ForeignKey("definition.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("pipeline_id", String, nullable=False),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    Column("workflow", JSON, nullable=False),
    Column("referee", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("campaign_flags", JSON, nullable=False),
    Column("aggregator_type", String),
    Column("validation_set_id", String),
    Column("base_number", Integer),
    Column("created_at", BigInteger, nullable=False),
)

jobs = Table(
    "job",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False, index=True),
    Column("definition_id", String, ForeignKey("definition.id"), nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("audience_id", String, nullable=False),
    Column("pipeline_id", String, nullable=False),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    # The job asks about the datapoints that existed when it was created.
    Column("last_datapoint", Integer, nullable=False),
    Column("datapoint_count", Integer, nullable=False),
    Column("votes", Integer, nullable=False),
    Column("most_responses", Integer, nullable=False),
    Column("responses", Integer, nullable=False),
    # Exactly who may answer; see pools.py.
    Column("pool", String, nullable=False),
    Column("waits_for", String, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("shift", BigInteger, nullable=False),
    Column("hold", String),
    Column("held_at", BigInteger),
    Column("failure_message", String),
    Column("review_reason", String),
    Column("charged", Boolean, nullable=False),
)

ledger = Table(
    "ledger",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("job_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)

examples = Table(
    "example",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("audience_id", String, nullable=False, index=True),
    Column("asset", JSON, nullable=False),
    Column("payload", JSON, nullable=False),
    Column("truth", JSON),
    Column("context", String),
    Column("context_asset", JSON),
    Column("explanation", String),
    Column("chance", Float, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("sort_index", Integer, nullable=False),
    Column("is_common_sense", Boolean),
    Column("flag_if_incorrect", Boolean),
    Column("visibility", String, nullable=False),
)

# Who qualified with which examples. A change of the examples makes a new cohort and leaves the old
# one to the jobs that it answers.
cohorts = Table(
    "cohort",
    METADATA,
    Column("id", String, primary_key=True),
    Column("audience_id", String, nullable=False),
    # As JSON text, by which the outcome is remembered.
    Column("exam", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
)

# What is true about some content, since a qualification example said so.
truths = Table(
    "truth",
    METADATA,
    Column("content", String, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

signals = Table(
    "signal",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    Column("audience_id", String, nullable=False),
    Column("definition_id", String, nullable=False),
    Column("revision", Integer),
    Column("interval", Integer, nullable=False),
    Column("is_paused", Boolean, nullable=False),
    Column("is_public", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("next_run_at", BigInteger, nullable=False),
    Column("last_run_at", BigInteger),
)

signal_runs = Table(
    "signal_run",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("signal_id", String, nullable=False, index=True),
    Column("source", String, nullable=False),
    # "Requested" is a trigger that the platform has not come to yet; nobody sees it.
    Column("status", String, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    # When the run moves on by itself; a run with a job moves on with its job.
    Column("due_at", BigInteger, index=True),
    Column("job_id", String),
    Column("completed_at", BigInteger),
    Column("failure_message", String),
    Column("skipped_reason", String),
)

flows = Table(
    "flow",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("type", String, nullable=False),
    # What new items are made with; an item keeps a copy.
    Column("config", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # A deleted flow disappears from the API; its items stay readable.
    Column("deleted", Boolean, nullable=False),
)

flow_items = Table(
    "flow_item",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("flow_id", String, nullable=False, index=True),
    Column("dataset_id", String, ForeignKey("dataset.id"), nullable=False),
    Column("config", JSON, nullable=False),
    Column("context", String),
    Column("context_asset", JSON),
    Column("pool", String, nullable=False),
    # The item asks about the datapoints that existed when it was created.
    Column("last_datapoint", Integer, nullable=False),
    Column("datapoint_count", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("latency", BigInteger, nullable=False),
    Column("pace", BigInteger, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("drain_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    # How and when it ends unless somebody stops it: nothing that comes later changes that.
    Column("ending", String, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("stopped_at", BigInteger),
)

preheats = Table(
    "preheat",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

benchmarks = Table(
    "benchmark",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("description", String),
    Column("is_public", Boolean, nullable=False),
    Column("is_published", Boolean, nullable=False),
    Column("publication_date", BigInteger),
    Column("initial_boost_level", Integer),
    Column("min_assets_per_prompt", Integer),
    Column("score_shift", Float, nullable=False),
    Column("score_scale", Float, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

prompts = Table(
    "benchmark_prompt",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False),
    Column("identifier", String, nullable=False),
    Column("text", String),
    Column("segments", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("origin", String),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("benchmark_id", "identifier"),
)

leaderboards = Table(
    "leaderboard",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("instruction", String, nullable=False),
    Column("display_instruction", String),
    Column("show_prompt", Boolean, nullable=False),
    Column("show_prompt_asset", Boolean, nullable=False),
    Column("is_inversed", Boolean, nullable=False),
    Column("response_budget", Integer, nullable=False),
    Column("min_responses", Integer, nullable=False),
    Column("audience_id", String, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("priority", Integer),
    Column("weight", Float, nullable=False),
    Column("score_shift", Float, nullable=False),
    Column("score_scale", Float, nullable=False),
    Column("is_hidden", Boolean, nullable=False),
    Column("is_excluded", Boolean, nullable=False),
    Column("vote_aggregation", String, nullable=False),
    Column("included_tags", JSON, nullable=False),
    Column("excluded_tags", JSON, nullable=False),
    Column("definition_id", String),
    Column("created_at", BigInteger, nullable=False),
)

participants = Table(
    "participant",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("benchmark_id", String, ForeignKey("benchmark.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    # Its first name, from which its quality derives.
    Column("model", String, nullable=False),
    Column("status", String, nullable=False),
    Column("votes_excluded", Boolean, nullable=False),
    Column("dataset_id", String, nullable=False),
    Column("family", String),
    Column("lab", String),
    Column("proprietary_name", String),
    Column("license_type", String),
    Column("cost", Float),
    Column("cost_unit", String),
    Column("logo", String),
    Column("created_at", BigInteger, nullable=False),
)

samples = Table(
    "sample",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("participant_id", String, ForeignKey("participant.id"), nullable=False),
    Column("identifier", String, nullable=False),
    Column("asset", JSON, nullable=False),
    Column("content", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("participant_id", "identifier", "content"),
)

leaderboard_runs = Table(
    "leaderboard_run",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    # It outlives its leaderboard, because its job does.
    Column("leaderboard_id", String, nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("job_id", String, nullable=False, index=True),
    Column("audience_id", String, nullable=False),
    Column("question", String, nullable=False),
    Column("is_inversed", Boolean, nullable=False),
    # What is compared, in the order of the job's datapoints.
    Column("matchups", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# What ranked datapoints share, by the name of their group.
groups = Table(
    "dataset_group",
    METADATA,
    Column("dataset_id", String, ForeignKey("dataset.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("segments", JSON, nullable=False),
)

preliminary_downloads = Table(
    "preliminary_download",
    METADATA,
    Column("id", String, primary_key=True),
    Column("job_id", String, nullable=False),
    # The file says what had been answered when it was asked for.
    Column("answered", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
