/* cpu.h: what this CPU can run. */
#ifndef NPC_CORE_CPU_H
#define NPC_CORE_CPU_H

enum npc_isa {
#define NPC_ISA_ENTRY(name, compiled) NPC_ISA_##name,
#include "isa.def"
#undef NPC_ISA_ENTRY
    NPC_ISA_COUNT
};

/* The best ISA that is compiled in and that CPU and operating system support. */
int npc_best_isa(void);

#endif
