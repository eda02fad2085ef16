"""What every service of the hub stands on; it knows none of them.

A service's `__main__.py` is configuration → pool, channels → servicers → server, nothing else:

    \"\"\"python -m services.intake CONFIG.toml\"\"\"

    async def main(config: IntakeConfig) -> None:
        async with open_pool(config) as pool, open_channel(config, config.directory_target) as directory:
            sender = SenderServicer(await open_registry(config, pool, Directory(directory)))
            services = [Service("dabir.intake.v1.SenderService", add_SenderServiceServicer_to_server, sender)]
            await serve(config, services, DirectoryResolver(directory, config))


    if __name__ == "__main__":
        run(IntakeConfig, main)

| module | is for |
|---|---|
| `config` | `ServiceConfig`, `ProcessConfig` (workers), `load` |
| `process` | `run`, `stop_signal` |
| `server`, `transport` | `serve`, `Server`, `Service`; its TLS, read again when a file changes |
| `gate`, `authentication`, `validation`, `refusals`, `error_mapping` | the seven steps of a call |
| `access` | the one table: RPC → who may call |
| `identity`, `deadline` | of the call being served: `caller()`, `Role`; how long it may still take |
| `errors` | one exception class per reason; `domain` may import it |
| `instants`, `page_token` | timestamps and instants in sentences; where a list goes on; `domain` may import them |
| `database` | `open_pool`, `Connection`, `AWAY` |
| `seals`, `ledger` | `open_ledger`; open chains → sign → append |
| `channel` | `open_channel` to a neighbour, `reason_of` its errors |
| `outgoing` | `Outgoing`: requests to addresses that strangers chose |
| `crls` | revocation lists of a folder: members' certificates in directory, the hub's own at every gate |
| `metrics`, `logs` | Prometheus figures, JSON lines |
"""
