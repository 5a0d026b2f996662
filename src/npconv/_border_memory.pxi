# The border, included by _native.pyx: memory of results.
#
# A large result gets its memory from the C core, which keeps some of what comes back, unless told
# not to, and begins it at a cache line. NumPy asks for it through a handler (NEP 49), so that the
# array owns its memory like any other. Results below NPC_RECYCLE_SMALLEST are NumPy's:
# changing the handler takes longer than their allocation.

import numpy as _numpy
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport memcpy, memset, strcpy


cdef void *_recycled_malloc(void *ctx, size_t size) noexcept nogil:
    return npc_recycle_take(size)


cdef void *_recycled_calloc(void *ctx, size_t count, size_t size) noexcept nogil:
    cdef void *memory = NULL
    if size == 0 or count <= <size_t>-1 // size:
        memory = npc_recycle_take(count * size)
    if memory != NULL:
        memset(memory, 0, count * size)
    return memory


cdef void *_recycled_realloc(void *ctx, void *memory, size_t size) noexcept nogil:
    cdef void *larger = npc_recycle_take(size)
    if larger != NULL and memory != NULL:
        memcpy(larger, memory, min(size, npc_recycle_capacity(memory)))
        npc_recycle_give(memory)
    return larger


cdef void _recycled_free(void *ctx, void *memory, size_t size) noexcept nogil:
    npc_recycle_give(memory)


cdef cnp.PyDataMem_Handler _recycled
strcpy(_recycled.name, "npconv")
_recycled.version = 1
_recycled.allocator.ctx = NULL
_recycled.allocator.malloc = _recycled_malloc
_recycled.allocator.calloc = _recycled_calloc
_recycled.allocator.realloc = _recycled_realloc
_recycled.allocator.free = _recycled_free
cdef object _recycled_capsule = PyCapsule_New(&_recycled, "mem_handler", NULL)
cdef object _numpy_empty = _numpy.empty


cdef object _new_array(int rank, cnp.npy_intp *shape, int type_number, double item_size):
    """`empty` for C."""
    cdef object before
    cdef double size = item_size
    cdef int i
    for i in range(rank):
        size *= <double>shape[i]
    if size < <double>NPC_RECYCLE_SMALLEST:
        return cnp.PyArray_SimpleNew(rank, shape, type_number)
    before = cnp.PyDataMem_SetHandler(_recycled_capsule)
    try:
        return cnp.PyArray_SimpleNew(rank, shape, type_number)
    finally:
        cnp.PyDataMem_SetHandler(before)


def empty(shape, dtype):
    """As numpy.empty, for results."""
    cdef object before
    cdef double size = dtype.itemsize
    for length in shape:
        size *= length
    if size < <double>NPC_RECYCLE_SMALLEST:
        return _numpy_empty(shape, dtype)
    before = cnp.PyDataMem_SetHandler(_recycled_capsule)
    try:
        return _numpy_empty(shape, dtype)
    finally:
        cnp.PyDataMem_SetHandler(before)


def set_recycling(bint on):
    npc_recycle_enable(on)


def recycling_state():
    """How many blocks wait for a result, and their bytes."""
    cdef int blocks
    cdef int64_t size
    npc_recycle_state(&blocks, &size)
    return blocks, size
