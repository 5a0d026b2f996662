#include "simd.h"

#include "../generic/kernels.h"
