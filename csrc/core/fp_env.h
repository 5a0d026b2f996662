/* fp_env.h: every thread computes in the default floating-point environment (round to nearest,
 * subnormals kept, no traps), whatever the caller has set, so that results do not depend on it or
 * on which thread does what; the caller's environment, sticky flags included, is put back. */
#ifndef NPC_CORE_FP_ENV_H
#define NPC_CORE_FP_ENV_H

#include "common.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

typedef unsigned npc_fp_env;

NPC_INLINE npc_fp_env npc_fp_enter(void)
{
    const npc_fp_env saved = _mm_getcsr();
    _mm_setcsr(0x1F80);
    return saved;
}

NPC_INLINE void npc_fp_leave(npc_fp_env saved) { _mm_setcsr(saved); }

#else
#include <fenv.h>

typedef fenv_t npc_fp_env;

NPC_INLINE npc_fp_env npc_fp_enter(void)
{
    npc_fp_env saved;
    fegetenv(&saved);
    fesetenv(FE_DFL_ENV);
    return saved;
}

NPC_INLINE void npc_fp_leave(npc_fp_env saved) { fesetenv(&saved); }
#endif

#endif
