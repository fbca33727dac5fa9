"""Imports of everything of PySyft that securefl uses: here and nowhere else.

Pinned to 0.10; the contract test names it all.
"""

from __future__ import annotations

from securefl.datasite.import_guard import quiet_import

with quiet_import():
    from syft.sync.connections.base_connection import (
        ConnectionConfig,
        FileCollection,
        SyftboxPlatformConnection,
    )
    from syft.sync.connections.drive.gdrive_transport import CollectionFolder
    from syft.sync.events.file_change_event import (
        FileChangeEventsMessage,
        FileChangeEventsMessageFileName,
    )
    from syft.sync.messages.proposed_filechange import MessageFileName, ProposedFileChangesMessage
    from syft.sync.syftbox_manager import SyftboxManagerConfig
    from syft.sync.sync.caches.datasite_owner_cache import DataSiteOwnerEventCacheConfig
    from syft.sync.sync.caches.datasite_watcher_cache import DataSiteWatcherCacheConfig
    from syft.sync.sync.caches.persisted_dict import PersistedDict
    from syft.sync.sync.datasite_owner_syncer import DatasiteOwnerSyncerConfig
    from syft.sync.sync.datasite_watcher_syncer import DatasiteWatcherSyncerConfig
    from syft.sync.version.peer_manager import CompatAction, PeerManagerConfig
    from syft.sync.version.version_info import VersionInfo
    from syft_datasets.config import SyftBoxConfig
    from syft_datasets.dataset_manager import DATASET_COLLECTION_PREFIX
    from syft_job import SyftJobConfig
    from syft_job.models import JobState, JobStatus, JobSubmissionMetadata
    from syft_permissions import PERMISSION_FILE_NAME
    from syft_rds import SyftRDSClient, SyftRDSClientConfig
    from syft_rds.config import COLLECTION_SUBPATH, DATASET_COLLECTION_SPECS

__all__ = [
    "COLLECTION_SUBPATH",
    "DATASET_COLLECTION_PREFIX",
    "DATASET_COLLECTION_SPECS",
    "PERMISSION_FILE_NAME",
    "CollectionFolder",
    "CompatAction",
    "ConnectionConfig",
    "DataSiteOwnerEventCacheConfig",
    "DataSiteWatcherCacheConfig",
    "DatasiteOwnerSyncerConfig",
    "DatasiteWatcherSyncerConfig",
    "FileChangeEventsMessage",
    "FileChangeEventsMessageFileName",
    "FileCollection",
    "JobState",
    "JobStatus",
    "JobSubmissionMetadata",
    "MessageFileName",
    "PeerManagerConfig",
    "PersistedDict",
    "ProposedFileChangesMessage",
    "SyftBoxConfig",
    "SyftJobConfig",
    "SyftRDSClient",
    "SyftRDSClientConfig",
    "SyftboxManagerConfig",
    "SyftboxPlatformConnection",
    "VersionInfo",
]
