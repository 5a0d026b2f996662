# The border, included by _native.pyx: the run-time's state.

def isas():
    return tuple([(npc_isa_name(i).decode(), bool(npc_isa_compiled(i)), bool(npc_isa_supported(i)))
                  for i in range(npc_isa_count())])


def set_num_threads(int n):
    npc_set_num_threads(n)


def get_num_threads():
    return npc_get_num_threads()


def max_threads():
    return npc_max_threads()


def cpu_info():
    return {
        "brand": _brand(),
        "cores": npc_max_threads(),
        "features": npc_cpu_features().decode().split(),
        "isa": next(name for name, compiled, supported in isas() if compiled and supported),
    }


def _brand():
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def build_info():
    return {
        "version": npc_version().decode(),
        "compiler": NPC_COMPILER.decode(),
        "openmp": bool(npc_has_openmp()),
        "isas": [name for name, compiled, _ in isas() if compiled],
    }


def last_plan():
    cdef npc_plan_info *info = npc_last_plan()
    if info.operation == NULL:
        return None
    return {
        "operation": info.operation.decode(),
        "algorithm": info.algorithm.decode(),
        "isa": info.isa.decode(),
        "dtype": info.dtype.decode(),
        "num_threads": info.num_threads,
        "workspace_bytes": info.workspace_bytes,
        "pieces": info.pieces,
    }


def kernel_coverage():
    cdef char name[96]
    cdef int usable, reached, i
    result = {}
    for i in range(npc_coverage_count()):
        npc_coverage_slot(i, name, sizeof(name), &usable, &reached)
        if usable:
            result[(<bytes>name).decode()] = bool(reached)
    return result


def reset_kernel_coverage():
    npc_coverage_reset()


def call_count():
    return _calls


def bench_uk1(isa, dtype_name, int rows, int vecs, int64_t depth, int64_t repeats):
    """Run a UK1 tile with operands in L1 `repeats` times; floating-point operations done."""
    cdef int isa_id = _look_up(_isa_ids, "isa", isa)
    cdef npc_dtype dtype = _look_up(_dtypes, "dtype", dtype_name)
    cdef double flops
    with nogil:
        flops = npc_bench_uk1(isa_id, dtype, rows, vecs, depth, repeats)
    return flops
