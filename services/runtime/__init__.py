"""What every service of the hub stands on; it knows none of them.

A service's `__main__.py` is configuration → pool → server, nothing else:

    \"\"\"python -m services.intake CONFIG.toml\"\"\"

    from dabir.intake.v1.sender_service_pb2_grpc import add_SenderServiceServicer_to_server

    from services.intake.config import IntakeConfig
    from services.intake.servicer.sender import SenderServicer
    from services.runtime.authentication import DirectoryResolver
    from services.runtime.channel import open_channel
    from services.runtime.database import open_pool
    from services.runtime.process import run
    from services.runtime.server import Service, serve


    async def main(config: IntakeConfig) -> None:
        async with open_pool(config) as pool, open_channel(config, config.directory_target) as directory:
            services = [
                Service("dabir.intake.v1.SenderService", add_SenderServiceServicer_to_server, SenderServicer(pool)),
            ]
            await serve(config, services, DirectoryResolver(directory, config))


    if __name__ == "__main__":
        run(IntakeConfig, main)

| module | is for |
|---|---|
| `config` | `ServiceConfig`, `ProcessConfig` (workers), `load` |
| `errors` | one exception class per reason; `domain` may import it |
| `identity` | `caller()`: who calls; `Role` |
| `access` | the one table: RPC → who may call |
| `gate`, `authentication`, `validation`, `refusals`, `error_mapping` | the seven steps of a call |
| `crls` | revocation lists of a folder: members' certificates in directory, the hub's own at every gate |
| `database` | `open_pool` |
| `channel` | `open_channel` to a neighbour, `reason_of` its errors |
| `process` | `run`, `stop_signal` |
| `server` | `serve`, `Server`, `Service` |
| `metrics`, `logs` | Prometheus figures, JSON lines |
| `seals`, `ledger` | `open_ledger`; open chains → sign → append |
"""
