"""What every adapter of the store port promises: an adapter's test classes derive from these and bring an opener."""

from tests.common.store.contract_failures import FailureContract, TwoStoresContract
from tests.common.store.contract_model import ModelContract
from tests.common.store.contract_projections import ProjectionContract
from tests.common.store.contract_runs import RunContract
from tests.common.store.contract_scans import ScanContract
from tests.common.store.contract_windows import WindowContract
from tests.common.store.contract_writes import GuardContract, WriteContract


class StoreContract(
    RunContract,
    WriteContract,
    GuardContract,
    ScanContract,
    WindowContract,
    ProjectionContract,
    ModelContract,
    FailureContract,
):
    """A store by itself."""


class SharedStoreContract(StoreContract, TwoStoresContract):
    """A store that others have open at the same time."""
