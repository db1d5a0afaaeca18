VOLATILE: tuple[str, ...]
__pyx_capi__: dict[str, object]  # run_traced and others, for the journey
