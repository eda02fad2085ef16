"""Each part by itself: what its set-up leaves, and that it may be repeated."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import grpc
import pytest
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention
from temporalio.api.operatorservice.v1.request_response_pb2 import ListSearchAttributesRequest
from temporalio.api.operatorservice.v1.service_pb2_grpc import OperatorServiceStub
from temporalio.api.workflowservice.v1.request_response_pb2 import DescribeNamespaceRequest
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from infra.local import s3, temporal
from tests.conftest import S3Server, TemporalServer


def test_bucket_is_versioned_and_locked(s3_server: S3Server) -> None:
    client = s3_server.client()
    s3.set_up(client)
    until = datetime.now(UTC) + timedelta(days=1)
    written = client.put_object(s3_server.bucket, "kept", BytesIO(b"x"), 1, retention=Retention(COMPLIANCE, until))
    with pytest.raises(S3Error, match="AccessDenied"):
        client.remove_object(s3_server.bucket, "kept", version_id=written.version_id)
    assert client.get_object_retention(s3_server.bucket, "kept", version_id=written.version_id) is not None


def test_a_power_cut_takes_nothing_from_temporal_that_it_answered(tmp_path: Path) -> None:
    """SQLite's own promise of that setting; nothing here can cut the power."""
    assert "synchronous=FULL" in temporal.command(tmp_path, dict.fromkeys(temporal.PORTS, 1)).args


def test_namespace_keeps_closed_runs_30_days_and_has_every_search_attribute(temporal_server: TemporalServer) -> None:
    temporal.set_up(temporal_server.address)
    with grpc.insecure_channel(temporal_server.address) as channel:
        described = WorkflowServiceStub(channel).DescribeNamespace(
            DescribeNamespaceRequest(namespace=temporal_server.namespace), timeout=5
        )
        listed = OperatorServiceStub(channel).ListSearchAttributes(
            ListSearchAttributesRequest(namespace=temporal_server.namespace), timeout=5
        )
    assert described.config.workflow_execution_retention_ttl.seconds == 30 * 24 * 3600
    assert temporal.SEARCH_ATTRIBUTES.items() <= dict(listed.custom_attributes).items()
