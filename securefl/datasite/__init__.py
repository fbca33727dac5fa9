"""The PySyft adapter, both sides: transport, inbox check, peers, data sets with mock data, code
requests, small outputs.
"""

from securefl.doors import lazy_door

__getattr__ = lazy_door(
    __name__,
    {
        "DatasetInfo": "models",
        "Datasite": "site",
        "Peer": "models",
        "Quarantined": "models",
        "Request": "models",
        "SyncReport": "models",
        "open_datasite": "site",
        "site_email": "address",
        "site_name": "address",
        "waiting": "glance",
    },
)
